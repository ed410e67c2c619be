"""Watches give every change once, in bounded memory, and end when they should."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from console.clients.kubernetes import buffer
from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.kinds import Selection
from console.clients.kubernetes.watch import UNREADABLE, Expired, pages, watch
from console.errors import ExternalError, Refused, Unreachable
from deploy.emulators.kubernetes.server import Emulator
from tests.waiting import HANGS, PATIENCE, until

MAPS = Selection("ConfigMap", namespace="acme", labels="of=test")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A cluster with one namespace."""
    with Emulator() as running:
        yield running


@pytest.fixture
def client(emulator: Emulator, tmp_path: Path) -> Iterator[KubernetesClient]:
    """With a single connection, which watches must not use up."""
    kubernetes = KubernetesClient(
        f"kubeconfig:{emulator.kubeconfig(tmp_path / 'k')}", connections=1
    )
    kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme"}})
    yield kubernetes
    kubernetes.close()


def put(client: KubernetesClient, name: str, content: str = "x", **labels: str) -> None:
    """Create a ConfigMap."""
    client.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "acme", "labels": {"of": "test", **labels}},
            "data": {"content": content},
        }
    )


def version(client: KubernetesClient, selection: Selection = MAPS) -> str:
    """From where a watch misses nothing."""
    return next(pages(client, selection)).version


def told(
    client: KubernetesClient, versions: dict[Selection, str], **more: Any
) -> list[tuple[str, str]]:
    """What a watch says until it is quiet: verbs and names."""
    return [
        (change.verb, change.object["metadata"]["name"])
        for batch in watch(client, versions, **{"quiet": 0.0, **more})
        for change in batch
    ]


def test_a_list_comes_in_pages_of_one_version(client: KubernetesClient) -> None:
    for number in range(5):
        put(client, f"map-{number}")
    portions = list(pages(client, MAPS, size=2))
    assert [len(page.objects) for page in portions] == [2, 2, 1]
    assert len({page.version for page in portions}) == 1
    assert portions[0].objects[0]["kind"] == "ConfigMap"


def test_a_watch_goes_on_from_a_version_without_loss(client: KubernetesClient) -> None:
    since = version(client)
    put(client, "one")
    put(client, "two")
    client.delete("ConfigMap", "one", namespace="acme")
    assert told(client, {MAPS: since}) == [("ADDED", "one"), ("ADDED", "two"), ("DELETED", "one")]
    changes = [
        change
        for batch in watch(client, {MAPS: since}, quiet=0.0)
        for change in batch
        if change.verb == "ADDED"
    ]
    assert told(client, {MAPS: changes[0].version}) == [("ADDED", "two"), ("DELETED", "one")]


def test_selectors_and_several_kinds_go_side_by_side(client: KubernetesClient) -> None:
    labelled, spaces = Selection("ConfigMap", labels="team=a"), Selection("Namespace")
    since = {labelled: version(client, labelled), spaces: version(client, spaces)}
    put(client, "mine", team="a")
    put(client, "other", team="b")
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}})
    assert set(told(client, since)) == {("ADDED", "mine"), ("ADDED", "later")}


def test_what_comes_while_we_wait_is_told_at_once(client: KubernetesClient) -> None:
    batches = watch(client, {MAPS: version(client)}, quiet=HANGS, seconds=HANGS)
    assert next(batches) == []  # everything until now has been told
    begun = time.monotonic()
    writer = threading.Thread(target=put, args=(client, "later"), daemon=True)
    writer.start()
    batch = next(batch for batch in batches if batch)
    assert batch[0].object["metadata"]["name"] == "later"
    assert time.monotonic() - begun < PATIENCE  # long before it gives up
    batches.close()
    writer.join(PATIENCE)


def test_a_server_that_is_slow_to_open_a_watch_is_given_time_to_fill_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was there before must have been told when silence is taken for having been told all."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(2.0)  # clock: slow, as is said
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            # clock: slow, too:
            time.sleep(1.0)  # more than SETTLING, and less than twice what opening took
            manifest = {"metadata": {"name": "late", "resourceVersion": "7"}}
            self.wfile.write(json.dumps({"type": "ADDED", "object": manifest}).encode() + b"\n")
            self.wfile.flush()
            ended.wait(HANGS)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    ended = threading.Event()
    monkeypatch.setenv("HEADROOM_CRED_TOKEN", "s3cr3t")
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        slow = KubernetesClient(
            "env:HEADROOM_CRED_TOKEN", server=f"http://127.0.0.1:{server.server_port}"
        )
        assert told(slow, {MAPS: "1"}) == [("ADDED", "late")]
        slow.close()
        ended.set()
        server.shutdown()


LINES = (
    '{"type": "ADDED"}',
    '{"object": {"metadata": {"name": "nameless-change"}}}',
    '{"type": "RENAMED", "object": {"metadata": {"name": "unheard-of"}}}',
    '{"type": 5, "object": ["x"]}',
    "[]",
    '{"type": "ADDED", "object": {"metadata": {"name": "deep"}, "spec": %s}}'
    % ('{"a":' * 3000 + "1" + "}" * 3000),
    '{"type": "MODIFIED", "object": {"metadata": "none", "x": 1e999}}',
    '{"type": "ADDED", "object": {"metadata": {"name": "good", "resourceVersion": "7"}}}',
)


def test_a_line_that_names_no_change_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write("\n".join(LINES).encode() + b"\n")
            self.wfile.flush()
            ended.wait(HANGS)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    ended = threading.Event()
    monkeypatch.setenv("HEADROOM_CRED_TOKEN", "s3cr3t")
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        odd = KubernetesClient(
            "env:HEADROOM_CRED_TOKEN", server=f"http://127.0.0.1:{server.server_port}"
        )
        changes = [change for batch in watch(odd, {MAPS: "1"}, quiet=0.0) for change in batch]
        odd.close()
        ended.set()
        server.shutdown()
    assert [change.verb for change in changes] == [UNREADABLE] * 5 + ["ADDED", "MODIFIED", "ADDED"]
    assert changes[5].object["metadata"] == {"name": "deep"}
    assert changes[-1].version == "7"


def test_a_version_that_was_forgotten_is_expired(
    client: KubernetesClient, emulator: Emulator
) -> None:
    since = version(client)
    put(client, "one")
    emulator.compact()
    with pytest.raises(Expired):
        told(client, {MAPS: since})


def test_a_list_that_expires_half_way_says_so(client: KubernetesClient, emulator: Emulator) -> None:
    for number in range(4):
        put(client, f"map-{number}")
    portions = pages(client, MAPS, size=2)
    next(portions)
    put(client, "later")
    emulator.compact()
    with pytest.raises(Expired):
        next(portions)


def test_an_object_of_a_megabyte_comes_whole(client: KubernetesClient) -> None:
    since = version(client)
    put(client, "large", content="y" * 1_000_000)
    batch = next(batch for batch in watch(client, {MAPS: since}, quiet=0.0) if batch)
    assert len(batch[0].object["data"]["content"]) == 1_000_000


def test_a_reader_that_dawdles_holds_the_server_back(
    client: KubernetesClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "MOST_BYTES", 1)
    since = version(client)
    for number in range(20):
        put(client, f"map-{number:02}")
    sizes = [len(batch) for batch in watch(client, {MAPS: since}, quiet=0.0)]
    assert sum(sizes) == 20
    assert max(sizes) == 1  # one is there, the next one waits until it was taken


def test_stopping_to_read_ends_the_connection(client: KubernetesClient, emulator: Emulator) -> None:
    listeners = emulator.call(lambda: len(emulator._cluster.store.listeners))
    batches = watch(client, {MAPS: version(client)}, quiet=60.0)
    next(batches)
    assert emulator.call(lambda: len(emulator._cluster.store.listeners)) == listeners + 1
    batches.close()

    def closed() -> bool:
        put(client, f"map-{time.monotonic_ns()}")  # a server notices by writing
        now = emulator.call(lambda: len(emulator._cluster.store.listeners))
        return bool(now == listeners)

    until(closed, "the watch is still open")


def test_a_server_that_goes_away_is_an_error(client: KubernetesClient, emulator: Emulator) -> None:
    since = version(client)
    emulator.stop()
    with pytest.raises(ExternalError) as raised:
        told(client, {MAPS: since})
    assert isinstance(raised.value, Unreachable)
    emulator.start()
    assert told(client, {MAPS: since}) == []


def test_a_server_that_hangs_is_an_error_in_bounded_time(
    client: KubernetesClient, emulator: Emulator, tmp_path: Path
) -> None:
    # clock: the server hangs
    hasty = KubernetesClient(f"kubeconfig:{emulator.kubeconfig(tmp_path / 'k')}", timeout=1.0)
    everywhere = Selection("ConfigMap")
    since = version(client, everywhere)
    emulator.hang(HANGS)
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        told(hasty, {everywhere: since})
    assert time.monotonic() - begun < PATIENCE
    emulator.hang(0)
    hasty.close()


def test_a_watch_that_is_forbidden_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    emulator.add_user("nobody")
    reference = f"kubeconfig:{emulator.kubeconfig(tmp_path / 'n', user='nobody')}"
    stranger = KubernetesClient(reference)
    with pytest.raises(Refused) as raised:
        told(stranger, {MAPS: "1"})
    assert raised.value.code == "forbidden"
    stranger.close()


@pytest.mark.cluster
def test_a_real_server_tells_the_same(kubeconfig: Path) -> None:
    client = KubernetesClient(f"kubeconfig:{kubeconfig}", connections=1)
    name = f"watch-{time.time_ns()}"
    spaces = Selection("Namespace", fields=f"metadata.name={name}")
    since = version(client, spaces)
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert ("ADDED", name) in told(client, {spaces: since})
    client.close()
