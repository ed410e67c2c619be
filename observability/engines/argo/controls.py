"""Argo's controls: merge patches on the Workflow, the Argo server for what only it can do.

Never server-side apply, never `status`, never a label that the controller keeps (facts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from console.clients.kubernetes.client import KubernetesClient
from console.errors import Conflict, Refused
from console.unstructured import mapping
from observability.engines.argo.labels import actor_patch, resubmitted
from observability.engines.argo.verbs import VERBS
from observability.engines.contracts import Engine
from observability.engines.unstructured import labels_of, name_of, notes_of, uid_of
from observability.engines.verbs import ActionRequest, Answer, Availability, RunFacts, by_status
from tenants.adapters.argo import server_for
from tenants.adapters.kubernetes import client_for
from tenants.contracts import TargetRef

_COMPLETED: Final = "workflows.argoproj.io/completed"
_UID: Final = 36
"""Letters of a uid; a retried run of the same object has its attempt after it."""
_PATCHES: Final[Mapping[str, tuple[str, Mapping[str, Any], str]]] = {
    "stop": ("Stop", {"shutdown": "Stop"}, "Argo stops the workflow; exit handlers still run."),
    "terminate": ("Terminate", {"shutdown": "Terminate"}, "Argo terminates the workflow."),
    "suspend": ("Suspend", {"suspend": True}, "No new step starts."),
    "resume": ("Resume", {"suspend": None}, "Steps start again."),
}
_SERVER: Final[Mapping[str, tuple[str, str]]] = {
    "resume_node": ("resume", "The step is resumed."),
    "retry": ("retry", "Argo does the failed steps again."),
    "resubmit_memoized": ("resubmit", "A new workflow takes over what succeeded."),
}
_OVERWRITTEN: Final = "The workflow was retried by hand since: act on its latest run."
_WHILE_OPEN: Final = frozenset({*_PATCHES, "resume_node"})


class ArgoControls:
    """Speaks to a cluster that has Argo Workflows."""

    engine = Engine.ARGO

    def verbs(self, *, run: RunFacts, target: TargetRef) -> Sequence[Availability]:
        """By status, and whether an Argo server is connected; none for what a retry overwrote."""
        offered = by_status(VERBS, run, target.options)
        if not run.overwritten:
            return offered
        return [
            Availability(availability.verb, _OVERWRITTEN, availability.hidden)
            for availability in offered
        ]

    def perform(self, *, run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
        """A read and a write; the write is bound to the Workflow's uid."""
        if run.overwritten:
            raise Conflict(_OVERWRITTEN)
        client = client_for(target)
        workflow = client.get("Workflow", run.external_id, namespace=run.location)
        if uid_of(workflow) != run.run_id[:_UID]:
            raise Conflict(f"Workflow {run.location}/{run.external_id} is another one by now")
        _require_phase(workflow, run, request)
        if request.verb in _SERVER:
            return _by_server(run, target, request)
        if request.verb == "resubmit":
            return _resubmit(client, workflow, request)
        return _patch(client, workflow, run, request)


def _require_phase(workflow: Mapping[str, Any], run: RunFacts, request: ActionRequest) -> None:
    """Raises Conflict when it has ended, or begun again, since its row was written."""
    ended = labels_of(workflow).get(_COMPLETED) == "true"
    if ended and request.verb in _WHILE_OPEN:
        raise Conflict(f"Workflow {run.location}/{run.external_id} has ended already")
    if not ended and request.verb not in _WHILE_OPEN:
        raise Conflict(f"Workflow {run.location}/{run.external_id} runs")


def _patch(
    client: KubernetesClient, workflow: Mapping[str, Any], run: RunFacts, request: ActionRequest
) -> Answer:
    name = f"Workflow {run.location}/{run.external_id}"
    if request.verb == "resume" and not mapping(workflow.get("spec")).get("suspend"):
        raise Refused(f"{name} is not suspended as a whole: a suspend step in it waits")
    action, spec, message = _PATCHES[request.verb]
    patch = {
        "metadata": {
            "uid": uid_of(workflow),
            "labels": actor_patch(request, action),
            "annotations": notes_of(request),
        },
        "spec": dict(spec),
    }
    client.patch_merge("Workflow", run.external_id, patch, namespace=run.location)
    return Answer(message)


def _resubmit(
    client: KubernetesClient, workflow: Mapping[str, Any], request: ActionRequest
) -> Answer:
    made = resubmitted(workflow, request)
    name = made["metadata"]["name"]
    try:
        stored = client.create(made)
    except Conflict:
        # The name is made of the request: it was created by an earlier try of the same.
        return Answer(f"Workflow {name} was submitted.", {"name": name})
    return Answer(f"Workflow {name} is submitted.", {"name": name, "uid": uid_of(stored)})


def _by_server(run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
    server = server_for(target)
    if server is None:
        raise Refused(f"only the Argo server does this, and {target.slug} has none")
    path, message = _SERVER[request.verb]
    body: dict[str, Any] = {"namespace": run.location, "name": run.external_id}
    if request.verb == "resume_node":
        body["nodeFieldSelector"] = str(request.arguments["node"])
    if request.verb == "resubmit_memoized":
        body["memoized"] = True
    stored = server.act(run.location, run.external_id, path, body)
    return Answer(message, {"name": name_of(stored), "uid": uid_of(stored)})
