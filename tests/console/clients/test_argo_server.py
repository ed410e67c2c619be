"""The Argo server's API as recorded: archived workflows in pages, one with its steps, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from console.clients.argo_server import ArgoServer
from console.errors import NotFound, Refused, Unreachable
from tests.console.clients.argo import Fake, argo_server


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server on a port of its own."""
    with argo_server() as server:
        yield server


def archived(number: int) -> dict[str, Any]:
    """An archived workflow as a list has it."""
    metadata = {"name": f"wf-{number}", "namespace": "acme", "uid": f"uid-{number}"}
    return {"metadata": metadata, "status": {"phase": "Succeeded", "nodes": {"a": {}}}}


def test_archived_workflows_come_in_pages(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_CRED_ARGO", "secret-token")
    fake.archived = [archived(number) for number in range(5)]
    server = ArgoServer(fake.url, token="env:HEADROOM_CRED_ARGO")
    since = datetime(2026, 11, 22, 10, tzinfo=UTC)
    pages = list(server.archived("acme", started_after=since, page=2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert "nodes" not in pages[0][0]["status"]
    assert "metadata.namespace%3Dacme%2Cspec.startedAt%3E2026-11-22T10" in fake.paths[0]
    assert fake.tokens[0] == "Bearer secret-token"
    assert "secret" not in repr(server)


def test_an_empty_archive_has_no_pages(fake: Fake) -> None:
    assert list(ArgoServer(fake.url).archived("acme")) == []


def test_one_archived_workflow_has_its_steps(fake: Fake) -> None:
    fake.archived = [archived(1)]
    server = ArgoServer(fake.url)
    assert server.archived_workflow("uid-1")["status"]["nodes"] == {"a": {}}
    with pytest.raises(NotFound):
        server.archived_workflow("uid-2")
    assert server.version() == "v4.1.2"


def test_a_name_cannot_leave_its_place_in_the_path(fake: Fake) -> None:
    with pytest.raises(NotFound):
        ArgoServer(fake.url).workflow("acme", "../../etc", uid="u&x=1")
    assert fake.paths == ["/api/v1/workflows/acme/..%2F..%2Fetc?uid=u%26x%3D1"]


def test_an_address_that_is_none_is_refused_and_one_that_is_away_unreachable() -> None:
    with pytest.raises(Refused):
        ArgoServer("argo:2746")
    with pytest.raises(Unreachable):
        ArgoServer("http://127.0.0.1:1", timeout=10.0).version()  # clock: away


@pytest.mark.parametrize("url", ["http://argo.invalid:2746", "http://192.0.2.1", "http://[::1"])
def test_its_token_is_not_sent_over_plain_http_but_to_this_machine(url: str) -> None:
    with pytest.raises(Refused) as caught:
        ArgoServer(url, token="env:HEADROOM_CRED_ARGO")
    assert caught.value.code == "credential"
    assert "192.0.2.1" in repr(ArgoServer("http://192.0.2.1"))  # nothing is given away


@pytest.mark.parametrize("token", ["in-cluster", "kubeconfig:/etc/headroom/config"])
def test_what_is_for_clusters_is_not_sent_to_it(fake: Fake, token: str) -> None:
    with pytest.raises(Refused, match="for clusters only"):
        ArgoServer(fake.url, token=token)


def test_a_token_that_is_none_and_a_ca_from_elsewhere_are_refused(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_CRED_ARGO", "root:x:0:0\nbin:x:1:1")
    with pytest.raises(Refused, match="is not a token"):
        ArgoServer(fake.url, token="env:HEADROOM_CRED_ARGO").version()
    with pytest.raises(Refused, match="CREDENTIAL_DIRS"):
        ArgoServer("https://127.0.0.1:1", ca_file="/etc/hostname").version()
    assert fake.paths == []
