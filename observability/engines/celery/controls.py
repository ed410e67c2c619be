"""Celery's controls: revoking by remote control, sending again from what the events recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from console.deadline import in_time
from console.errors import Refused, Unreachable
from console.pages.plural import plural
from observability.engines.celery.verbs import VERBS, call_of
from observability.engines.contracts import PARENT_HEADER, TENANT_HEADER, Engine
from observability.engines.verbs import ActionRequest, Answer, Availability, RunFacts, by_status
from tenants.adapters.celery import client_for
from tenants.contracts import TargetRef

MOST_NAMED: Final = 100
"""Workers whose names are kept with an action; anybody may answer."""


class CeleryControls:
    """Speaks to the workers of an app over its broker."""

    engine = Engine.CELERY

    def verbs(self, *, run: RunFacts, target: TargetRef) -> Sequence[Availability]:
        """By status; sending again needs arguments that were recorded as a whole."""
        return [
            _with_arguments(availability, run)
            for availability in by_status(VERBS, run, target.options)
        ]

    def perform(self, *, run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
        """One broadcast to the workers, or one message to the queue."""
        verb = _send_again if request.verb == "retry" else _revoke
        return in_time(lambda: verb(run, target, request))


def _with_arguments(offered: Availability, run: RunFacts) -> Availability:
    if offered.verb.name != "retry" or offered.why_not:
        return offered
    reason = _unrepeatable(run)
    return replace(offered, why_not=f"It cannot be sent again: {reason}." if reason else "")


def _unrepeatable(run: RunFacts) -> str:
    """Why the task cannot be sent again; empty when it can."""
    return call_of(run.recorded)[3] or ("" if run.queue else "which queue it was in is not known")


def _revoke(run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
    kill = request.verb == "revoke_terminate"
    with client_for(target).control() as control:
        answers = control.revoke(run.external_id, terminate=kill)
    if not answers:
        # A worker that is busy may have heard it and answer too late.
        raise Unreachable("no worker answered in time: a revoke reaches only workers that run")
    replies = "; ".join(f"{worker}: {text or 'ok'}" for worker, text in sorted(answers.items()))
    return Answer(
        f"{plural(len(answers), 'worker')} took it. {replies}"[:1000],
        {"workers": sorted(answers)[:MOST_NAMED]},
    )


def _send_again(run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
    """The new task's id is the request's, so that a second try is seen by whoever looks."""
    task, args, kwargs, _ = call_of(run.recorded)
    reason = _unrepeatable(run)
    if reason:
        raise Refused(f"it cannot be sent again: {reason}")
    headers = {PARENT_HEADER: run.key}
    if run.tenant:
        headers[TENANT_HEADER] = run.tenant
    sent = client_for(target).send(
        task, args=args, kwargs=kwargs, queue=run.queue, uuid=request.id, headers=headers
    )
    return Answer(f"Sent to {sent.queue} as {sent.uuid}.", {"task_id": sent.uuid})
