"""What is gone from the cluster is read from the archive of the Argo server, where there is one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from console.errors import NotFound
from observability.engines.argo.source import ArgoSource
from observability.engines.contracts import RunRef, Status
from tests.console.clients.argo import argo_server
from tests.observability.engines.argo.recorded import EXIT, one, workflow
from tests.observability.engines.clusters import Site, emulated
from tests.observability.engines.memory_reader import Reader


def archived(site: Site, uid: str, name: str = "wf") -> dict[str, Any]:
    """A workflow that failed, as the archive has it."""
    manifest = copy.deepcopy(workflow("Failed", EXIT, one("Failed", EXIT)))
    manifest["metadata"] |= {"namespace": site.namespace, "uid": uid, "name": name}
    return manifest


def test_a_run_that_vanished_ended_as_the_archive_says(tmp_path: Path) -> None:
    with emulated(tmp_path) as (_, site), argo_server() as server:
        uid = site.workflow("wf")["metadata"]["uid"]
        read = Reader(ArgoSource(), site.target("argo", argo_server=server.url), [site.namespace])
        read.read()
        site.client.delete("Workflow", "wf", namespace=site.namespace)
        server.archived = [archived(site, uid)]
        read.store.cursor = {}
        run = read.read().named("wf")[0]
        assert (run.status, run.failure) == (Status.FAILED, EXIT)
        assert run.cleaned_at is not None
        assert ("wf", uid) in read.store.documents


def test_a_run_that_nobody_ever_saw_is_found_and_its_steps_are_fetched(tmp_path: Path) -> None:
    with emulated(tmp_path) as (_, site), argo_server() as server:
        server.archived = [archived(site, "a1", "old")]
        read = Reader(ArgoSource(), site.target("argo", argo_server=server.url), [site.namespace])
        run = read.read().named("old")[0]
        assert (run.status, run.needs_history) == (Status.FAILED, True)
        ref = RunRef(1, "old", "a1", site.namespace, run.status, run.revision, run.created_at)
        history = read.source.history(target=read.target, run=ref, after=0)
        assert history.complete
        assert "attempt_failed" in [event.kind.value for event in history.events]
        before = len(server.paths)
        read.store.cursor = {}
        assert read.read().named("old") == [run]
        assert len(server.paths) == before + 1  # the list; what is known is not fetched again


def test_without_a_server_what_is_gone_is_gone(tmp_path: Path) -> None:
    with emulated(tmp_path) as (_, site):
        read = Reader(ArgoSource(), site.target("argo"), [site.namespace])
        site.workflow("wf")
        run = read.read().named("wf")[0]
        site.client.delete("Workflow", "wf", namespace=site.namespace)
        read.store.cursor = {}
        assert read.read().named("wf")[0].status is Status.DELETED
        ref = RunRef(1, "wf", run.run_id, site.namespace, run.status, "", run.created_at)
        with pytest.raises(NotFound):
            read.source.history(target=read.target, run=ref, after=0)
