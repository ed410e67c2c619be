"""One behaviour over a directory and a bucket of a real S3-compatible server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from console.clients.credentials import Secret
from console.clients.object_storage import ObjectStorage, StorageOptions
from console.errors import ExternalError, NotFound, Refused, Unreachable
from deploy import ports
from tests.object_storage import S3, s3
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3() as running:
        yield running


@pytest.fixture(params=["directory", "bucket", "prefix"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    if request.param == "directory":
        return ObjectStorage((tmp_path / "some where" / "archive").as_uri())
    server: S3 = request.getfixturevalue("server")
    prefix = "a/b" if request.param == "prefix" else ""
    bucket = server.bucket(f"b{uuid4().hex[:12]}", prefix)
    return ObjectStorage(bucket.url, bucket.options)


def test_what_was_put_is_got(storage: ObjectStorage) -> None:
    storage.put("temporal/eu/2026/11/22/abc.zst", b"\x00\xff")
    assert storage.get("temporal/eu/2026/11/22/abc.zst") == b"\x00\xff"
    assert storage.exists("temporal/eu/2026/11/22/abc.zst")


def test_putting_again_replaces(storage: ObjectStorage) -> None:
    storage.put("a", b"one")
    storage.put("a", b"two")
    assert storage.get("a") == b"two"


def test_what_is_not_there_is_not_found(storage: ObjectStorage) -> None:
    assert not storage.exists("nothing/here")
    with pytest.raises(NotFound):
        storage.get("nothing/here")


def test_what_is_deleted_is_gone_and_deleting_again_is_no_error(storage: ObjectStorage) -> None:
    for name in ("d/1", "d/2", "e/1"):
        storage.put(name, b"x")
    storage.delete(["d/1", "e/1", "never/was"])
    assert list(storage.paths()) == ["d/2"]
    storage.delete(["d/1"])
    storage.delete([])


def test_paths_below_a_prefix_are_listed(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "20")  # a real server: a thousand in a page
    for number in range(105):
        storage.put(f"many/{number}", b"x")
    storage.put("other/1", b"x")
    assert len(set(storage.paths("many"))) == len(list(storage.paths("many"))) == 105
    assert list(storage.paths("other")) == ["other/1"]
    assert list(storage.paths("none")) == []


def test_a_large_object_comes_back_whole(storage: ObjectStorage) -> None:
    data = bytes(range(256)) * 40_000
    storage.put("large", data)
    assert storage.get("large") == data


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "file:///", "archive", "file://host/x"])
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        ObjectStorage(url)


def test_a_server_that_is_away_is_unreachable_within_a_bounded_time() -> None:
    secret = Secret("do-not-show-this")
    options = StorageOptions(
        endpoint=f"http://127.0.0.1:{ports.any_free()}",
        region="x",
        allow_http=True,
        access_key=Secret("key"),
        secret_key=secret,
        timeout=2.0,  # clock: nobody is there, however long one waits
    )
    began = time.monotonic()
    with pytest.raises(Unreachable) as raised:
        ObjectStorage("s3://bucket", options).get("a")
    assert time.monotonic() - began < PATIENCE
    assert secret.value not in raised.value.message


def test_a_bucket_that_is_not_there_is_no_missing_object(server: S3) -> None:
    bucket = server.bucket("exists")
    storage = ObjectStorage("s3://missing-bucket", bucket.options)
    with pytest.raises(ExternalError) as raised:
        storage.put("a", b"x")
    assert not isinstance(raised.value, NotFound)


def test_a_directory_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(ExternalError):
        ObjectStorage((tmp_path / "file").as_uri()).put("a/b", b"x")
