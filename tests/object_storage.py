"""A real S3-compatible server for tests: moto's, in a thread, on a free port."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from moto.server import ThreadedMotoServer

from console.clients.credentials import Secret
from console.clients.object_storage import StorageOptions
from tests.servers import skip_if_forbidden
from tests.waiting import PATIENCE


@dataclass(frozen=True, slots=True)
class Bucket:
    """How to reach a bucket."""

    url: str
    options: StorageOptions


@dataclass(slots=True)
class S3:
    """A server that can be stopped; it forgets its buckets then."""

    server: ThreadedMotoServer
    endpoint: str

    def bucket(self, name: str, prefix: str = "") -> Bucket:
        """A new bucket, with what a client needs."""
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3")
        urllib.request.urlopen(request, timeout=PATIENCE).close()
        options = StorageOptions(
            endpoint=self.endpoint,
            region="us-east-1",
            allow_http=True,
            access_key=Secret("key-of-the-test"),
            secret_key=Secret("secret-of-the-test"),
            timeout=PATIENCE,
        )
        return Bucket(f"s3://{name}/{prefix}".rstrip("/"), options)


@contextmanager
def s3() -> Iterator[S3]:
    """A server of the test's own."""
    skip_if_forbidden()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        yield S3(server, f"http://127.0.0.1:{port}")
    finally:
        server.stop()
