"""Brokers: how they are named, and that nothing ever shows a password."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from console.clients.celery.client import CeleryClient
from console.clients.celery.recorded_arguments import arguments, was_cut
from console.errors import ExternalError, Refused, Unreachable
from deploy.demo.stack.state import ROOT
from deploy.ports import any_free
from tests.servers import ValkeyServer
from tests.waiting import PATIENCE, until

SECRET = "s3cret/word"
QUOTED = "s3cret%2Fword"


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_the_password_of_a_broker_that_is_away_is_in_no_error(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{scheme}://headroom:{QUOTED}@127.0.0.1:{any_free()}/1"
    monkeypatch.setenv("HEADROOM_CRED_BROKER", url)
    client = CeleryClient("", credential="env:HEADROOM_CRED_BROKER", timeout=10.0)  # clock: away
    with pytest.raises(Unreachable) as caught:
        client.probe()
    for text in (str(caught.value), repr(caught.value), repr(client), repr(client.events())):
        assert SECRET not in text
        assert QUOTED not in text


def test_a_wrong_password_is_refused_and_not_shown(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"redis://headroom:{QUOTED}@{valkey.address}/1"
    monkeypatch.setenv("HEADROOM_CRED_BROKER", url)
    with pytest.raises(Refused) as caught:
        CeleryClient("", credential="env:HEADROOM_CRED_BROKER").probe()
    assert caught.value.code == "unauthenticated"
    assert SECRET not in str(caught.value)
    assert QUOTED not in str(caught.value)


def test_a_credential_file_is_read_anew_for_each_connection(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    file = tmp_path / "broker"
    file.write_text(f"redis://127.0.0.1:{any_free()}/1\n")
    client = CeleryClient("", credential=f"file:{file}", timeout=PATIENCE)
    with pytest.raises(Unreachable):
        client.probe()
    file.write_text(f"redis://{valkey.address}/1\n")
    broker = client.probe()
    assert (broker.product, broker.version[:2]) == ("Valkey", "8.")


@pytest.mark.parametrize("url", ["http://x/1", "valkey://x/1", "nothing", "redis://x:port/1", ""])
def test_what_is_no_broker_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Refused) as caught:
        CeleryClient(url).probe()
    assert not url or url not in str(caught.value)


@pytest.mark.parametrize(
    "reference", ["env:CELERY_BROKER_URL", "file:/etc/hostname", "in-cluster", "kubeconfig:/x"]
)
def test_what_is_not_a_credential_here_is_not_read(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://:{QUOTED}@127.0.0.1:1/1")
    with pytest.raises(Refused) as caught:
        CeleryClient("redis://127.0.0.1:1/1", credential=reference).probe()
    assert caught.value.code == "credential"
    assert QUOTED not in caught.value.message


def test_a_broker_that_hangs_is_unreachable_in_bounded_time(valkey: ValkeyServer) -> None:
    client = CeleryClient(f"redis://{valkey.address}/1", timeout=1.0)  # clock: it hangs
    valkey.pause()
    try:
        with pytest.raises(ExternalError):
            client.probe()
    finally:
        valkey.resume()

    def healed() -> bool:
        with suppress(Unreachable):
            return client.probe().product == "Valkey"
        return False

    assert until(healed)


def test_nobody_answers_where_no_worker_is(valkey: ValkeyServer) -> None:
    client = CeleryClient(f"redis://{valkey.address}/9")
    with client.control(wait=0.1) as control:  # clock: nobody is there
        assert control.count() == {}
        assert control.stats(to=[]) == {}
        with pytest.raises(Refused, match="did not answer"):
            control.cancel_consumer("q", to=["nobody@here"])


def test_a_process_that_ends_in_the_middle_of_listening_ends(valkey: ValkeyServer) -> None:
    script = (
        "from console.clients.celery.client import CeleryClient\n"
        f"events = CeleryClient('redis://{valkey.address}/9').events()\n"
        "batches = events.batches(queue='headroom.celeryev.x')\n"
        "next(batches)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=PATIENCE, check=False)
    assert ended.returncode == 0


def test_a_task_waits_in_its_queue(valkey: ValkeyServer) -> None:
    client = CeleryClient(f"redis://{valkey.address}/9")
    sent = client.send("a.task", args=[1], kwargs={"b": 2}, queue="lonely")
    assert (sent.name, sent.queue, client.waiting("lonely")) == ("a.task", "lonely", 1)
    assert client.waiting("nothing-there") == 0


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ("(1, 'a', None)", "{'b': [True, 2.5]}", ([1, "a", None], {"b": [True, 2.5]})),
        ("('aaaa...',)", "{}", None),
        ("(<object at 0x1>,)", "{}", None),
        ("", "{}", None),
        ("({1, 2},)", "{}", None),
        ("(1,)", "{1: 2}", None),
        ("5", "{}", None),
    ],
)
def test_recorded_arguments_are_read_back_only_where_they_are_whole(
    args: str, kwargs: str, expected: object
) -> None:
    assert arguments(args, kwargs) == expected
    assert was_cut(args) == ("..." in args)
