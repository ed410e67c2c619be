"""The controls of Kubernetes Jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from console.errors import Conflict
from console.unstructured import mapping, mappings
from observability.engines.contracts import Engine
from observability.engines.kubernetes.verbs import VERBS
from observability.engines.unstructured import notes_of, text, uid_of
from observability.engines.verbs import ActionRequest, Answer, Availability, RunFacts, by_status
from tenants.adapters.kubernetes import client_for
from tenants.contracts import TargetRef

_ENDED: Final = frozenset({"Complete", "Failed"})


class KubernetesControls:
    """Speaks to a cluster's batch API."""

    engine = Engine.KUBERNETES

    def verbs(self, *, run: RunFacts, target: TargetRef) -> Sequence[Availability]:
        """By the run's status alone."""
        return by_status(VERBS, run, target.options)

    def perform(self, *, run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
        """A read and a write, both bound to the Job's uid: one of the same name is left alone."""
        client = client_for(target)
        job = client.get("Job", run.external_id, namespace=run.location)
        _refuse_other(job, run)
        if request.verb == "delete":
            if client.delete("Job", run.external_id, namespace=run.location, uid=run.run_id):
                return Answer("Kubernetes deletes the Job and its pods.")
            # It was there a moment ago. A delete whose answer was lost is sent again, and then
            # finds nothing: that one was ours.
            return Answer("The Job is gone: deleted by this, or by somebody at the same moment.")
        _refuse_ended(job, run)
        suspend = request.verb == "suspend"
        patch = {
            "metadata": {"uid": run.run_id, "annotations": notes_of(request)},
            "spec": {"suspend": suspend},
        }
        client.patch_merge("Job", run.external_id, patch, namespace=run.location)
        return Answer("The Job is suspended." if suspend else "The Job goes on.")


def _refuse_other(job: Mapping[str, Any], run: RunFacts) -> None:
    """Raises Conflict when it is another Job of that name."""
    if uid_of(job) != run.run_id:
        raise Conflict(f"Job {run.location}/{run.external_id} is another one by now")


def _refuse_ended(job: Mapping[str, Any], run: RunFacts) -> None:
    """Raises Conflict when it has ended meanwhile."""
    for condition in mappings(mapping(job.get("status")).get("conditions")):
        kind = text(condition.get("type"), 40)
        if kind in _ENDED and condition.get("status") == "True":
            raise Conflict(f"Job {run.location}/{run.external_id} has ended already: {kind}")
