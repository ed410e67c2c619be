"""Against real Temporal servers."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from console.clients.contracts import QueueKind
from console.clients.temporal.client import TemporalClient
from console.errors import ExternalError, NotFound, Refused, Unreachable
from tests.servers import Server, temporal_server
from tests.temporal_queues import update_and_see
from tests.waiting import HANGS, PATIENCE, until

WHO: dict[str, Any] = {"reason": "TICKET-1", "identity": "headroom:alice"}


@pytest.fixture
def client(temporal_address: str) -> TemporalClient:
    return TemporalClient(temporal_address)


@pytest.fixture
def queue() -> str:
    return f"q-{uuid.uuid4().hex[:8]}"


def test_a_probe_says_version_latency_and_whether_the_namespace_exists(
    client: TemporalClient, temporal_address: str
) -> None:
    probe = client.probe()
    assert probe.version.startswith("1.")
    assert 0 < probe.latency_ms < 5000
    assert probe.namespace_exists is True
    assert "supports_schedules" in probe.capabilities
    assert TemporalClient(temporal_address, "nowhere").probe().namespace_exists is False


def test_a_queue_that_nobody_used_has_no_limits(client: TemporalClient, queue: str) -> None:
    config = client.queue_config(queue)
    assert (config.queue_rate.milli, config.key_default.milli, config.weights) == (None, None, {})
    assert config.effective_source == "system"
    assert client.partitions(queue) == 1


def test_limits_come_back_exactly_with_who_and_why(client: TemporalClient, queue: str) -> None:
    config = update_and_see(
        client,
        queue,
        queue_rate=1337,
        key_default=1,
        set_weights={"acme": 20_500, "beta": 1},
        **WHO,
    )
    assert (config.queue_rate.milli, config.key_default.milli) == (1337, 1)
    assert config.weights == {"acme": 20_500, "beta": 1}
    assert (config.queue_rate.reason, config.queue_rate.identity) == ("TICKET-1", WHO["identity"])
    assert config.queue_rate.updated_at is not None
    assert (config.effective_milli, config.effective_source) == (1337, "api")


def test_what_is_unchanged_stays_and_none_removes(client: TemporalClient, queue: str) -> None:
    client.update_queue(queue, queue_rate=0, key_default=5000, **WHO)
    stored = client.update_queue(queue, unset_weights=["never-set"], **WHO)
    assert (stored.queue_rate.milli, stored.key_default.milli) == (0, 5000)
    stored = client.update_queue(queue, queue_rate=None, **WHO)
    assert (stored.queue_rate.milli, stored.key_default.milli) == (None, 5000)
    assert stored.queue_rate.identity == WHO["identity"], "the removal itself is on record"


def test_what_the_server_takes_wrongly_never_reaches_it(client: TemporalClient) -> None:
    before = client.counter.copy()
    for wrong in (
        {"key_default": 0},
        {"queue_rate": -1},
        {"set_weights": {"a": 0}},
        {"set_weights": {"a" * 65: 1}},
        {"set_weights": {"a": 1}, "unset_weights": ["a"]},
        {"kind": QueueKind.WORKFLOW, "queue_rate": 1000},
    ):
        with pytest.raises(Refused):
            client.update_queue("q", **wrong, **WHO)
    with pytest.raises(Refused):
        client.update_queue("", queue_rate=1000, **WHO)
    assert client.counter == before


def test_a_reason_that_is_too_long_is_shortened(client: TemporalClient, queue: str) -> None:
    stored = client.update_queue(queue, queue_rate=1000, reason="é" * 900, identity="i" * 2000)
    assert len(stored.queue_rate.reason.encode()) <= 1000
    assert stored.queue_rate.reason.endswith("…")


def test_more_than_1000_weight_changes_go_in_several_calls(
    client: TemporalClient, queue: str
) -> None:
    old = {f"old-{number}": 1000 for number in range(1000)}
    new = {f"new-{number}": 2000 for number in range(1000)}
    client.update_queue(queue, queue_rate=1000, set_weights=old, **WHO)
    before = client.counter.copy()
    stored = client.update_queue(queue, set_weights=new, unset_weights=list(old), **WHO)
    assert client.counter.since(before).writes == 2
    assert stored.weights == new
    assert stored.queue_rate.milli == 1000


def test_a_nudge_leaves_the_default_as_it_was(client: TemporalClient, queue: str) -> None:
    assert client.nudge_key_default(queue, **WHO) is False
    update_and_see(client, queue, key_default=1000, **WHO)
    assert client.nudge_key_default(queue, reason="release", identity="m") is True

    def nudged() -> bool:
        default = client.queue_config(queue).key_default
        return (default.milli, default.identity) == (1000, "m")

    until(nudged)


def test_the_stats_of_an_idle_queue_are_zero(client: TemporalClient, queue: str) -> None:
    stats = client.queue_stats(queue)
    assert (stats.backlog, stats.backlog_age, stats.pollers) == (0, 0.0, ())
    assert stats.rate_limiting_active is False


def test_namespaces_are_made_changed_and_removed(client: TemporalClient) -> None:
    name = f"team-{uuid.uuid4().hex[:8]}"
    assert client.namespace_exists(name) is False
    assert client.register_namespace(name, retention=86_400, data={"tenant": "acme"}) is True
    assert client.register_namespace(name, retention=86_400) is False
    client.update_namespace(name, retention=172_800, data={"plan": "gold"})
    assert client.delete_namespace(name) is True
    assert client.namespace_exists(name) is False
    assert client.delete_namespace(name) is False
    with pytest.raises(Refused):
        client.register_namespace(name, retention=60)
    with pytest.raises(NotFound):
        client.update_namespace(name, data={"plan": "x"})


def test_search_attributes_are_added_once_and_never_with_another_type(
    client: TemporalClient,
) -> None:
    name = f"team-{uuid.uuid4().hex[:8]}"
    client.register_namespace(name, retention=86_400)
    wanted = {"TenantId": "Keyword", "Labels": "KeywordList"}
    assert set(client.ensure_search_attributes(wanted, namespace=name)) == set(wanted)
    assert client.ensure_search_attributes(wanted, namespace=name) == ()
    with pytest.raises(Refused) as caught:
        client.ensure_search_attributes({"TenantId": "Int"}, namespace=name)
    assert caught.value.code == "search_attribute_type"
    with pytest.raises(Refused, match="no search attribute type"):
        client.ensure_search_attributes({"X": "Blob"}, namespace=name)
    client.delete_namespace(name)


def test_more_changes_than_the_server_takes_at_once_are_paced_and_none_is_lost(
    client: TemporalClient,
) -> None:
    # The frontend takes 40 at once and then 20 a second; unpaced, the rest is refused.
    name = uuid.uuid4().hex[:8]
    with ThreadPoolExecutor(60) as threads:
        stored = threads.map(
            lambda n: client.update_queue(f"pace-{name}-{n % 3}", set_weights={f"k{n}": 1}, **WHO),
            range(60),
        )
        assert len(list(stored)) == 60

    def kept() -> list[int]:
        return [len(client.queue_config(f"pace-{name}-{n}").weights) for n in range(3)]

    until(lambda: kept() == [20, 20, 20])


# -- trouble ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that these tests may stop and freeze; it remembers."""
    path: Path = tmp_path_factory.mktemp("temporal") / "store.db"
    with temporal_server(db_file=path) as server:
        yield server


def heal(client: TemporalClient) -> None:
    def healed() -> bool:
        with suppress(ExternalError):
            return client.namespace_exists()
        return False

    assert until(healed, "the client did not heal")


def test_a_frozen_server_is_unreachable_in_time_and_heals(own: Server) -> None:
    client = TemporalClient(own.address, timeout=1.0)  # clock: of a server that never answers
    heal(client)
    own.pause()
    try:
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            client.queue_config("q")
        assert time.monotonic() - begun < PATIENCE
        fresh = TemporalClient(own.address, timeout=1.0)  # clock: as above
        with pytest.raises(Unreachable):
            fresh.probe()
        assert time.monotonic() - begun < PATIENCE
    finally:
        own.resume()
    heal(client)
    heal(fresh)


def test_a_killed_server_is_unreachable_and_the_same_client_heals(own: Server) -> None:
    client = TemporalClient(own.address, timeout=HANGS)
    client.update_queue("kept", queue_rate=7000, **WHO)
    own.kill()
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        client.queue_config("kept")
    assert time.monotonic() - begun < PATIENCE
    own.start()
    heal(client)
    until(lambda: client.queue_config("kept").queue_rate.milli == 7000)


def test_a_client_made_while_the_server_is_away_works_once_it_is_there(own: Server) -> None:
    own.kill()
    client = TemporalClient(own.address, timeout=HANGS)
    with pytest.raises(Unreachable):
        client.probe()
    own.start()
    heal(client)


def test_something_that_accepts_and_never_speaks_is_unreachable_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            TemporalClient(f"127.0.0.1:{mute.getsockname()[1]}", timeout=0.5).probe()  # clock: mute
        assert time.monotonic() - begun < PATIENCE


def test_an_api_key_is_never_shown(temporal_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_CRED_API_KEY", "s3cr3t-key")
    client = TemporalClient(
        temporal_address, tls=False, api_key="env:HEADROOM_CRED_API_KEY", timeout=PATIENCE
    )
    assert client.probe().namespace_exists is True
    with pytest.raises(NotFound) as caught:
        client.update_namespace("nowhere", data={"a": "b"})
    shown = f"{client!r} {caught.value!r} {client._connection._live!r} {vars(client._connection)!r}"
    assert "s3cr3t-key" not in shown
    # Given without a word about TLS it does not travel in the clear.
    # clock: the server does not speak TLS
    secure = TemporalClient(temporal_address, api_key="env:HEADROOM_CRED_API_KEY", timeout=1)
    with pytest.raises(Unreachable) as refused:
        secure.probe()
    assert "s3cr3t-key" not in repr(refused.value)


def test_a_missing_credential_is_refused_before_anything_is_sent(temporal_address: str) -> None:
    with pytest.raises(Refused, match="HEADROOM_CRED_ABSENT"):
        TemporalClient(temporal_address, api_key="env:HEADROOM_CRED_ABSENT").probe()
    with pytest.raises(Refused, match="not a credential reference"):
        TemporalClient(temporal_address, api_key="s3cr3t")


@pytest.mark.parametrize(
    "address",
    ["192.0.2.1:7233", "temporal.invalid:7233", "temporal.invalid\\@127.0.0.1:7233",
     "127.0.0.1:7233@temporal.invalid", "[::2]:7233", "http://127.0.0.1:7233", ""],
)  # fmt: skip
def test_an_api_key_is_not_sent_in_the_clear_but_to_this_machine(address: str) -> None:
    with pytest.raises(Refused, match="without TLS to this machine only"):
        TemporalClient(address, tls=False, api_key="env:HEADROOM_CRED_API_KEY")


@pytest.mark.parametrize("reference", ["in-cluster", "kubeconfig:/etc/headroom/config"])
def test_what_is_for_clusters_is_not_sent_to_a_temporal_server(reference: str) -> None:
    for option in ("api_key", "client_cert", "client_key", "server_ca"):
        options: dict[str, Any] = {option: reference}
        with pytest.raises(Refused, match="for clusters only"):
            TemporalClient("127.0.0.1:7233", **options)


@pytest.mark.parametrize("reference", ["env:SECRET_KEY", "file:/etc/hostname"])
def test_what_is_not_a_credential_here_is_not_read(reference: str) -> None:
    with pytest.raises(Refused, match="may not be used as a credential"):
        TemporalClient("127.0.0.1:1", api_key=reference, timeout=5).probe()  # clock: it is refused
