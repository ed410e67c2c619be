"""A workflow fails, is retried and resubmitted from here, and the trail has it all: the emulated
controller and its server, the adapters of the trail and of the actions, on a cluster each."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from console.audit.models import Entry
from console.audit.services import Actor
from console.clients.argo_server import ArgoServer
from console.errors import DomainError, NotFound, Refused
from deploy.emulators.argo import names
from deploy.emulators.argo.archive import Archive
from deploy.emulators.argo.cluster import Cluster
from deploy.emulators.argo.controller import Controller
from deploy.emulators.argo.server import Answers, serve
from observability.actions.models import Action, ActionStatus
from observability.actions.services.actions import ActionCommand, act
from observability.engines.contracts import EventKind, LinkKind, Status
from observability.ingest.claims import claimed
from observability.ingest.reading import read_target
from observability.jobs.models import JobEvent, JobRun
from observability.jobs.services import archive
from tenants.models import Placement, Target
from tests.observability.engines.clusters import (
    Site,
)
from tests.observability.jobs.factories import make_target, make_tenant

pytestmark = pytest.mark.django_db(transaction=True)
FAILURE = "main: Error (exit code 1)"


@dataclass
class Lab:
    """A namespace of acme's, its controller and its server."""

    site: Site
    controller: Controller
    target: Target
    server: ArgoServer

    def round(self) -> None:
        """The controller looks."""
        self.controller.round(datetime.now(UTC))

    def read(self) -> None:
        """The trail looks."""
        with claimed(self.target.pk) as claim:
            assert claim is not None
            read_target(self.target.pk, token=claim.token, wait=0.5)  # clock: read again and again

    def end(self, pod: str, code: int) -> None:
        """What a kubelet writes at the end of a pod."""
        reason = "Error" if code else "Completed"
        over = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ended = {"exitCode": code, "reason": reason, "startedAt": over, "finishedAt": over}
        container = {
            "name": "main",
            "image": "",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": ended},
        }
        phase = "Failed" if code else "Succeeded"
        patch = {"status": {"phase": phase, "containerStatuses": [container]}}
        path = f"/api/v1/namespaces/{self.site.namespace}/pods/{pod}/status"

        async def write(deadline: float) -> bytes:
            return await self.site.client.session.send(
                "PATCH",
                path,
                what="end a pod",
                deadline=deadline,
                body=json.dumps(patch).encode(),
                headers={"Content-Type": "application/merge-patch+json"},
            )

        self.site.client.run(write, 10.0)

    def submit(self, name: str, *steps: str) -> None:
        """A workflow of these steps, each of one pod."""
        template = {"name": "work", "container": {"image": "example.invalid/work:1"}}
        groups = [[{"name": step, "template": "work"}] for step in steps]
        main = {"name": "main", "steps": groups}
        self.site.workflow(name, spec={"entrypoint": "main", "templates": [main, template]})
        self.round()

    def pod(self, workflow: str, number: int, step: str) -> str:
        """The pod of a step."""
        return names.pod_name(workflow, f"{workflow}[{number}].{step}", "work")

    def fail(self, name: str) -> JobRun:
        """A workflow whose second step fails, as the trail has it."""
        self.submit(name, "fetch", "load")
        self.read()
        self.end(self.pod(name, 0, "fetch"), 0)
        self.round()
        self.end(self.pod(name, 1, "load"), 1)
        self.round()
        self.read()
        return JobRun.objects.get(external_id=name)


@pytest.fixture
def lab(site: Site, tmp_path: Path, settings: Settings) -> Iterator[Lab]:
    settings.ARCHIVE_URL = (tmp_path / "archive").as_uri()
    archive.circuit.close()
    token = tmp_path / "token"
    token.write_text(secrets.token_hex(8))
    cluster, kept = Cluster(f"kubeconfig:{site.kubeconfig}", site.namespace), Archive()
    cluster.install()
    server = serve(Answers(cluster, kept), token, 0)
    options = {
        "argo_server": f"http://127.0.0.1:{server.server_address[1]}",
        "argo_server_token": f"file:{token}",
    }
    target = make_target(
        "flows", "argo", credential=f"kubeconfig:{site.kubeconfig}", endpoint="", options=options
    )
    acme = make_tenant("acme")
    Placement.objects.create(tenant=acme, target=target, location=site.namespace)
    client = ArgoServer(options["argo_server"], token=f"file:{token}")
    yield Lab(site, Controller(cluster, archive=kept), target, client)
    server.shutdown()
    server.server_close()
    cluster.close()


def ask(run: JobRun, verb: str, actor: Actor, **more: Any) -> Action:
    return act(run=run, command=ActionCommand(verb, "the source is back", **more), actor=actor)


def trail_of(run: JobRun) -> list[tuple[str, str]]:
    """Kind and key of each event."""
    events = JobEvent.objects.filter(run=run).order_by("seq", "key")
    return [(event.kind, event.key) for event in events]


def test_what_a_retry_overwrites_stays_in_the_trail(lab: Lab, olga: Actor) -> None:
    first = lab.fail("nightly")
    assert (first.status, first.tenant and first.tenant.slug) == (Status.FAILED, "acme")
    before, document = trail_of(first), archive.archived_document(first).data
    assert EventKind.ATTEMPT_FAILED in {kind for kind, _ in before}
    assert FAILURE.encode() in document

    action = ask(first, "retry", olga)
    assert action.status == ActionStatus.DONE, action.message
    entries = Entry.objects.filter(action__startswith="job.retry").order_by("id")
    assert [entry.action for entry in entries] == ["job.retry.asked", "job.retry"]
    lab.read()
    lab.round()
    lab.end(lab.pod("nightly", 1, "load"), 0)
    lab.round()
    lab.read()

    runs = list(JobRun.objects.filter(external_id="nightly").order_by("id"))
    assert [run.run_id for run in runs] == [first.run_id, f"{first.run_id}#1"]
    assert [run.status for run in runs] == [Status.FAILED, Status.SUCCEEDED]
    kept = JobRun.objects.get(pk=first.pk)
    assert (kept.failure, kept.closed_at) == (first.failure, first.closed_at)
    assert set(before) <= set(trail_of(kept))
    assert archive.archived_document(kept).data == document
    assert FAILURE.encode() not in archive.archived_document(runs[1]).data
    for run in runs:
        assert run.links.get(kind=LinkKind.CHAIN).value == first.run_id
    with pytest.raises(DomainError, match="act on its latest run"):
        ask(kept, "resubmit", olga)
    assert ask(runs[1], "resubmit", olga).status == ActionStatus.DONE


def test_the_object_is_the_same_and_says_that_it_was_retried(lab: Lab, olga: Actor) -> None:
    first = lab.fail("nightly")
    before = lab.site.client.get("Workflow", "nightly", namespace=lab.site.namespace)
    ask(first, "retry", olga)
    after = lab.site.client.get("Workflow", "nightly", namespace=lab.site.namespace)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    # Not finished any more; the controller writes "false" as soon as it sees it.
    assert after["metadata"]["labels"].get(names.COMPLETED) != "true"
    assert after["metadata"]["labels"][f"{names.PREFIX}action"] == "Retry"
    action = ask(first, "resubmit", olga)
    assert action.status != ActionStatus.DONE  # it runs again: there is nothing to submit anew yet
    assert "runs" in action.message


def test_a_resubmission_is_a_run_of_its_own(lab: Lab, olga: Actor) -> None:
    first = lab.fail("nightly")
    for verb in ("resubmit", "resubmit_memoized"):
        action = ask(first, verb, olga)
        assert action.status == ActionStatus.DONE, action.message
        name = action.result["name"]
        made = lab.site.client.get("Workflow", name, namespace=lab.site.namespace)
        assert made["metadata"]["labels"][f"{names.PREFIX}resubmitted-from-workflow"] == "nightly"
        lab.round()
        if verb == "resubmit":
            lab.end(lab.pod(name, 0, "fetch"), 0)
            lab.round()
        lab.end(lab.pod(name, 1, "load"), 0)
        lab.round()
        lab.read()
        assert JobRun.objects.get(external_id=name).status == Status.SUCCEEDED
    assert JobRun.objects.get(external_id="nightly").status == Status.FAILED


def test_a_run_that_has_left_the_cluster_is_in_the_archive(lab: Lab, olga: Actor) -> None:
    lab.submit("brief", "fetch")
    lab.read()
    lab.end(lab.pod("brief", 0, "fetch"), 0)
    lab.round()
    lab.site.client.delete("Workflow", "brief", namespace=lab.site.namespace)
    uid = JobRun.objects.get(external_id="brief").run_id
    assert lab.server.version() == names.VERSION
    listed = [flow for page in lab.server.archived(lab.site.namespace) for flow in page]
    assert [flow["metadata"]["name"] for flow in listed] == ["brief"]
    assert "nodes" not in listed[0]["status"]
    assert lab.server.archived_workflow(uid)["status"]["nodes"]
    assert lab.server.workflow(lab.site.namespace, "brief", uid=uid)["status"]["nodes"]
    with pytest.raises(NotFound):
        lab.server.archived_workflow("another")


def test_a_caller_without_the_token_learns_nothing(lab: Lab, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guessed")
    address = lab.target.options["argo_server"]
    for stranger in (ArgoServer(address), ArgoServer(address, token=f"file:{wrong}")):
        with pytest.raises(Refused, match="token not valid"):
            stranger.version()


def test_a_step_that_waits_is_resumed_by_the_server_alone(lab: Lab, olga: Actor) -> None:
    main = {"name": "main", "steps": [[{"name": "approve", "template": "wait"}]]}
    templates = [main, {"name": "wait", "suspend": {}}]
    lab.site.workflow("gate", spec={"entrypoint": "main", "templates": templates})
    lab.round()
    lab.read()
    run = JobRun.objects.get(external_id="gate")
    with pytest.raises(DomainError):
        ask(run, "resume_node", olga)
    action = ask(run, "resume_node", olga, arguments={"node": "displayName=approve"})
    assert action.status == ActionStatus.DONE, action.message
    lab.round()
    lab.read()
    assert JobRun.objects.get(external_id="gate").status == Status.SUCCEEDED


@pytest.mark.parametrize(
    ("verb", "labelled"),
    [("stop", "Stop"), ("terminate", "Terminate"), ("suspend", "Suspend")],
)
def test_what_needs_no_server_is_done_by_the_controller(
    lab: Lab, olga: Actor, verb: str, labelled: str
) -> None:
    lab.submit("long", "fetch", "load")
    lab.read()
    run = JobRun.objects.get(external_id="long")
    action = ask(run, verb, olga, confirm="long")
    assert action.status == ActionStatus.DONE, action.message
    labels = lab.site.client.get("Workflow", "long", namespace=lab.site.namespace)["metadata"][
        "labels"
    ]
    assert labels[f"{names.PREFIX}action"] == labelled
    assert labels[f"{names.PREFIX}actor"] == "olga"
    assert labels[f"{names.PREFIX}actor-email"] == "olga.at.example.org"
    lab.round()
    lab.read()
    run.refresh_from_db()
    if verb != "suspend":
        assert run.status in (Status.TERMINATED, Status.CANCELLED)
        return
    assert run.status == Status.PAUSED
    assert ask(run, "resume", olga).status == ActionStatus.DONE
    lab.end(lab.pod("long", 0, "fetch"), 0)
    lab.round()
    assert lab.site.client.get("Pod", lab.pod("long", 1, "load"), namespace=lab.site.namespace)
