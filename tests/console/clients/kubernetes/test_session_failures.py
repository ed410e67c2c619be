"""Answers that a healthy API server does not give, from a scripted one."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from console.clients.contracts import AppliedObject
from console.clients.kubernetes import session
from console.clients.kubernetes.client import KubernetesClient
from console.errors import Conflict, ExternalError, NotFound, Refused, Throttled, Unreachable
from deploy.ports import any_free
from tests.console.clients.scripted import Answer, Script, scripted
from tests.waiting import HANGS, PATIENCE

TOKEN = "s3cr3t-token"
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"namespace": "acme", "name": "headroom"},
    "spec": {"hard": {"pods": "1"}},
}
VERSION = Answer(body={"gitVersion": "v1.37.2"})
BUSY = Answer(429, {"message": "too many requests"}, {"Retry-After": "1"})
MODIFIED = Answer(
    409, {"reason": "Conflict", "message": "the object has been modified; please apply"}
)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_CRED_TOKEN", TOKEN)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts next to no time passes, so that they end by their number."""
    monkeypatch.setattr(session, "LONGEST_PAUSE", 0.01)


class Watched:
    """asyncio, and how long was slept in it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds)  # clock: what was asked for

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


def client_of(script: Script, timeout: float = HANGS) -> KubernetesClient:
    return KubernetesClient("env:HEADROOM_CRED_TOKEN", server=script.url, timeout=timeout)


def test_a_bare_token_is_sent_to_the_given_server() -> None:
    with scripted(VERSION) as script:
        assert client_of(script).version() == "v1.37.2"
        assert script.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_retry_after_is_obeyed_and_the_request_repeated() -> None:
    with scripted(BUSY, VERSION) as script:
        client = client_of(script)
        begun = time.monotonic()
        assert client.version() == "v1.37.2"
        assert time.monotonic() - begun >= 1
        assert (client.counter.reads, client.counter.retries) == (2, 1)


def test_a_pause_that_is_longer_than_our_time_is_not_waited_for() -> None:
    pause = 2 * HANGS
    with scripted(Answer(429, {}, {"Retry-After": str(pause)})) as script:
        begun = time.monotonic()
        with pytest.raises(Throttled) as caught:
            client_of(script).version()
        assert caught.value.retry_after == pause
        assert time.monotonic() - begun < PATIENCE
        assert len(script.seen) == 1


def test_while_one_request_was_told_to_wait_all_others_wait_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "asyncio", clock := Watched())
    with scripted(BUSY, Answer()) as script:
        client = client_of(script)
        manifests = [
            {**QUOTA, "metadata": {"namespace": "acme", "name": f"q{number}"}}
            for number in range(5)
        ]
        results = client.apply_many(manifests, "headroom-test", concurrency=1)
        assert all(result.ok for result in results)
        assert 1 <= sum(clock.slept) < 2, "the pause is shared, not repeated by each"


def test_a_modified_object_is_applied_again() -> None:
    with scripted(MODIFIED, Answer(body=QUOTA)) as script:
        assert client_of(script).apply(QUOTA, "headroom-test")["kind"] == "ResourceQuota"
        assert [request.method for request in script.seen] == ["PATCH", "PATCH"]


@pytest.mark.usefixtures("hurried")
def test_an_object_that_stays_modified_is_a_retryable_conflict() -> None:
    with scripted(MODIFIED) as script:
        with pytest.raises(Conflict) as caught:
            client_of(script).apply(QUOTA, "headroom-test")
        assert (caught.value.retryable, caught.value.owners) == (True, {})


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (Answer(400, {"message": "bad"}), Refused, "invalid"),
        (Answer(403, {"message": "no"}), Refused, "forbidden"),
        (Answer(404, {"message": "none"}), NotFound, "not_found"),
        (Answer(409, {"reason": "AlreadyExists", "message": "there"}), Conflict, "conflict"),
        (Answer(422, {"message": "wrong"}), Refused, "invalid"),
        (Answer(302, b"", {"Location": "http://elsewhere/"}), Refused, "refused"),
        (
            Answer(
                403, {"message": "x", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}
            ),
            Refused,
            "namespace_terminating",
        ),
    ],
)
def test_final_answers_are_not_repeated(
    answer: Answer, kind: type[ExternalError], code: str
) -> None:
    with scripted(answer) as script:
        with pytest.raises(kind) as caught:
            client_of(script).apply(QUOTA, "headroom-test")
        assert (caught.value.code, caught.value.retryable) == (code, False)
        assert "apply ResourceQuota acme/headroom" in caught.value.message
        assert len(script.seen) == 1


@pytest.mark.usefixtures("hurried")
def test_a_server_error_is_repeated_and_then_unreachable() -> None:
    with scripted(Answer(503, b"upstream down")) as script:
        with pytest.raises(Unreachable, match="HTTP 503"):
            client_of(script).version()
        assert len(script.seen) == session.ATTEMPTS


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[1]"])
def test_a_proxy_page_is_not_taken_for_an_answer(body: bytes) -> None:
    with scripted(Answer(body=body)) as script, pytest.raises(Unreachable, match="not"):
        client_of(script).version()


def test_a_list_that_expires_half_way_is_begun_anew() -> None:
    page = Answer(body={"items": [{"a": 1}], "metadata": {"continue": "next"}})
    last = Answer(body={"items": [{"a": 2}], "metadata": {}})
    with scripted(page, Answer(410, {"reason": "Expired"}), page, last) as script:
        assert client_of(script).list("Pod") == [{"a": 1}, {"a": 2}]
        assert "continue=next" in script.seen[3].path


def test_a_list_that_always_expires_ends() -> None:
    with scripted(Answer(410, {"reason": "Expired"})) as script:
        with pytest.raises(Unreachable, match="expired 3 times"):
            client_of(script).list("Pod")
        assert len(script.seen) == 3


def test_a_rotated_token_is_read_again_when_the_old_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    with scripted(VERSION) as script:
        client = KubernetesClient(f"file:{path}", server=script.url)
        client.version()
        path.write_text("newer")
        script.answers[:] = [Answer(401, {"message": "Unauthorized"}), VERSION]
        assert client.version() == "v1.37.2"
        assert [request.headers["Authorization"] for request in script.seen][::2] == [
            "Bearer old",
            "Bearer newer",
        ]


def test_a_token_that_stays_wrong_is_refused_without_showing_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted(Answer(401, {"message": "Unauthorized"})) as script:
        client = client_of(script)
        with pytest.raises(Refused) as caught:
            client.version()
        assert caught.value.code == "unauthenticated"
        assert len(script.seen) == 2
        everything = f"{caught.value!r} {client!r} {vars(client)!r} {caplog.text}"
        everything += repr({key: repr(value) for key, value in vars(client._session).items()})
        assert TOKEN not in everything


def test_nobody_listening_is_unreachable_at_once() -> None:
    url = f"http://127.0.0.1:{any_free()}"
    client = KubernetesClient("env:HEADROOM_CRED_TOKEN", server=url, timeout=HANGS)
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="read the version"):
        client.version()
    assert time.monotonic() - begun < PATIENCE


def test_a_target_that_is_gone_does_not_cost_a_timeout_per_object() -> None:
    with scripted(VERSION) as script:
        client = client_of(script)
    manifests = [
        {**QUOTA, "metadata": {"namespace": "acme", "name": f"q{number}"}} for number in range(500)
    ]
    begun = time.monotonic()
    results = client.apply_many(manifests, "headroom-test")
    assert time.monotonic() - begun < PATIENCE
    assert {type(result.error).__mro__[1] for result in results} == {Unreachable}
    assert client.counter.writes < 200


def test_results_come_in_the_order_of_the_manifests_and_the_callback_in_the_callers_thread() -> (
    None
):
    wrong = {"apiVersion": "v1", "kind": "Frobnicator", "metadata": {"name": "x"}}
    nameless = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    outdated = {**QUOTA, "apiVersion": "v1beta1"}
    objects: list[AppliedObject] = []
    with scripted(Answer(body=QUOTA)) as script:
        results = client_of(script).apply_many(
            [wrong, QUOTA, nameless, outdated], "headroom-test", on_result=objects.append
        )
    assert [result.ok for result in results] == [False, True, False, False]
    assert sorted(map(repr, objects)) == sorted(map(repr, results))
    codes = [result.error.code for result in results if result.error is not None]
    assert codes == ["unknown_kind", "invalid", "invalid"]


def test_a_callback_that_fails_stops_the_run() -> None:
    def fail(_: AppliedObject) -> None:
        raise LookupError("no row")

    with scripted(Answer(body=QUOTA)) as script, pytest.raises(LookupError):
        client_of(script).apply_many([QUOTA] * 50, "headroom-test", on_result=fail)


def test_nothing_to_apply_is_no_request() -> None:
    with scripted(VERSION) as script:
        assert client_of(script).apply_many([], "headroom-test") == []
        assert script.seen == []


def test_objects_of_a_namespace_that_failed_are_not_tried() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme"}}
    with scripted(Answer(403, {"message": "no"})) as script:
        results = client_of(script).apply_many([QUOTA, namespace], "headroom-test")
        assert [type(result.error) for result in results] == [Refused, Refused]
        assert len(script.seen) == 1


@pytest.mark.parametrize(
    "text",
    [
        "clusters: [unclosed",
        "clusters: {}",
        "- clusters: nothing",
        "clusters: []\nusers: []\ncontexts: []\ncurrent-context: gone\nx: s3cr3t-token",
        "clusters: [{name: a, cluster: {server: 'https://x', certificate-authority-data: '%%'}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n"
        "users: [{name: a, user: {token: s3cr3t-token}}]",
        "clusters: [{cluster: {server: 'https://x'}}]\nusers: [{user: {token: s3cr3t-token}}]\n"
        "contexts: [{context: {}}]\ncurrent-context: a",
    ],
)
def test_a_broken_kubeconfig_is_refused_without_quoting_it(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("HEADROOM_CRED_KUBECONFIG", text)
    for reference in (f"kubeconfig:{tmp_path / 'config'}", "env:HEADROOM_CRED_KUBECONFIG"):
        with pytest.raises(Refused) as caught:
            KubernetesClient(reference).version()
        assert caught.value.code == "credential"
        assert TOKEN not in repr(caught.value)
        assert caught.value.__cause__ is None


def test_a_credential_plugin_that_fails_is_refused_instead_of_going_on_as_anonymous(
    tmp_path: Path, settings: Settings
) -> None:
    settings.CREDENTIAL_PLUGINS = True
    with scripted(VERSION) as script:
        (tmp_path / "config").write_text(
            f"clusters: [{{name: a, cluster: {{server: '{script.url}'}}}}]\n"
            "contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n"
            "users:\n- name: a\n  user:\n    exec:\n      command: 'false'\n"
            "      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n"
        )
        with pytest.raises(Refused, match="plugin gave no credential"):
            KubernetesClient(f"kubeconfig:{tmp_path / 'config'}").version()
        assert script.seen == []


def test_a_credential_plugin_that_hangs_does_not_hang_us(
    tmp_path: Path, settings: Settings
) -> None:
    settings.CREDENTIAL_PLUGINS = True
    (tmp_path / "config").write_text(
        "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n"
        f"users:\n- name: a\n  user:\n    exec:\n      command: {tmp_path / 'plugin'}\n"
        "      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n"
    )
    (tmp_path / "plugin").write_text(f"#!/bin/sh\nwhile [ -e {tmp_path}/hang ]; do sleep 1; done\n")
    (tmp_path / "plugin").chmod(0o755)
    (tmp_path / "hang").touch()
    with pytest.raises(Unreachable):  # clock: it hangs
        KubernetesClient(f"kubeconfig:{tmp_path / 'config'}", timeout=0.5).version()
    (tmp_path / "hang").unlink()  # until here it hung


def test_a_bare_token_without_a_server_is_refused() -> None:
    with pytest.raises(Refused, match="needs the server's address"):
        KubernetesClient("env:HEADROOM_CRED_TOKEN").version()
