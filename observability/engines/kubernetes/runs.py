"""A Job with its pods and Kubernetes Events, as a run of the trail. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from console.unstructured import mapping, mappings, moment, whole
from observability.engines.contracts import (
    DELETION,
    Engine,
    EventKind,
    FailureKind,
    RunEvent,
    RunSnapshot,
    Status,
    run_key,
)
from observability.engines.deletion import HELD, deletion_of
from observability.engines.kubernetes.denials import Denials, denials_of
from observability.engines.kubernetes.pods import (
    attempts_of,
    condition_of,
    ending_of,
    pod_events,
    started_of,
    status_of,
    stopped_event,
)
from observability.engines.kubernetes.state import (
    DENIED,
    DOCUMENTED,
    GONE,
    OVERDUE,
    JobOutcome,
    JobSnapshot,
    document_of,
    gone_at,
    held_by,
    is_finished,
    open_status,
    outcome_of,
    revision_of,
    type_of,
)
from observability.engines.times import plausible
from observability.engines.unstructured import (
    LAST,
    changed_at,
    checkpoint_events,
    created_of,
    creator_of,
    event,
    links_of,
    metadata_of,
    micros,
    name_of,
    namespace_of,
    owners_of,
    parent_of,
    progress_of,
    shown_labels,
    tenant_of,
    text,
    uid_of,
)
from observability.engines.watching import GRACE


def run_of(snapshot: JobSnapshot, now: datetime) -> RunSnapshot:
    """The run as it is now, with its events, and its document once it has ended."""
    return plausible(_JobTranslation(snapshot, now).run(), now)


class _JobTranslation:
    """One Job on its way into a RunSnapshot."""

    def __init__(self, snapshot: JobSnapshot, now: datetime) -> None:
        job = snapshot.job
        self.snapshot, self.job, self.now = snapshot, job, now
        self.spec = mapping(job.get("spec"))
        self.template = mapping(self.spec.get("template"))
        self.created = created_of(job, now)
        self.denials = denials_of(snapshot.warnings, self.created)
        wide = max(
            whole(self.spec.get("parallelism")) or 1, whole(self.spec.get("completions")) or 1
        )
        self.attempts = attempts_of(snapshot.pods, parallel=wide > 1)
        self.outcome = outcome_of(snapshot, self.denials, now)
        self.deletion = None if snapshot.deleted else deletion_of(job, held_by(snapshot))

    def run(self) -> RunSnapshot:
        """All of it."""
        job, outcome = self.job, self.outcome
        events = tuple(sorted(self._events(), key=lambda run_event: (run_event.seq, run_event.key)))
        started = [at for at in map(started_of, self.snapshot.pods) if at]
        ended = outcome is not None
        removed = self.snapshot.deleted and is_finished(job)
        give = ended and (DOCUMENTED not in self.snapshot.flags or not self.snapshot.deleted)
        return RunSnapshot(
            external_id=name_of(job),
            run_id=uid_of(job),
            location=namespace_of(job),
            type=type_of(job),
            status=outcome.status if outcome else open_status(self.snapshot),
            created_at=self.created,
            revision=revision_of(self.snapshot, self._flags()),
            began_at=min(started, default=None),
            closed_at=outcome.at if outcome else None,
            tenant=tenant_of(job, self.template),
            attempts=self._attempt_count(),
            failure=outcome.message if outcome else "",
            failure_kind=outcome.kind if outcome else FailureKind.NONE,
            started_by=self._creator(),
            worker=self._worker(),
            build=self._image(),
            parent=parent_of(job, self.template) or self._owner_key(),
            links=links_of(job, self.template),
            progress=progress_of(events),
            cleanup_at=self._cleanup_at(),
            cleaned_at=gone_at(self.snapshot, self.now) if removed else None,
            attributes=self._attributes(),
            events=events,
            document=document_of(self.snapshot) if give else None,
        )

    # -- state -------------------------------------------------------------------------------

    def _flags(self) -> frozenset[str]:
        ended, gone = self.outcome is not None, self.snapshot.deleted
        now = {DENIED: bool(self.denials), DOCUMENTED: ended, GONE: gone, OVERDUE: self._overdue()}
        now[HELD] = self.deletion is not None
        return self.snapshot.flags | {flag for flag, holds in now.items() if holds}

    def _overdue(self) -> bool:
        due = self._cleanup_at()
        return due is not None and due + GRACE < self.now and not self.snapshot.deleted

    def _cleanup_at(self) -> datetime | None:
        after = whole(self.spec.get("ttlSecondsAfterFinished"))
        if after is None or after < 0 or self.outcome is None or not is_finished(self.job):
            return None
        return self.outcome.at + timedelta(seconds=min(after, 10**9))

    # -- who and where -----------------------------------------------------------------------

    def _creator(self) -> str:
        for owner in owners_of(self.job):
            if owner.get("controller") is True:
                return f"{text(owner.get('kind'), 60)}/{text(owner.get('name'), 180)}"
        return creator_of(self.job)

    def _owner_key(self) -> str:
        for owner in owners_of(self.job):
            if owner.get("kind") == "Workflow":
                name, uid = text(owner.get("name"), 255), text(owner.get("uid"), 80)
                return run_key(Engine.ARGO, namespace_of(self.job), name, uid)
        return ""

    def _worker(self) -> str:
        nodes = [
            (started_of(pod), text(mapping(pod.get("spec")).get("nodeName"), 255))
            for pod in self.snapshot.pods
        ]
        known = [(at, node) for at, node in nodes if at and node]
        return max(known)[1] if known else ""

    def _image(self) -> str:
        containers = mappings(mapping(self.template.get("spec")).get("containers"))
        return text(containers[0].get("image"), 255) if containers else ""

    def _attempt_count(self) -> int | None:
        failed = whole(status_of(self.job).get("failed")) or 0
        tried = max(self.attempts.values(), default=0)
        # Pods side by side are numbered by none: those that failed, and the one that goes on or
        # went well, which a Job that failed has not.
        gave_up = condition_of(self.job, "Failed").get("status") == "True"
        goes_on = bool(self.snapshot.pods) and not tried and not (gave_up and failed)
        return max(tried, failed + goes_on) or None

    def _attributes(self) -> dict[str, Any]:
        spec, status = self.spec, status_of(self.job)
        shown = {
            "labels": shown_labels(self.job),
            "parallelism": whole(spec.get("parallelism")),
            "completions": whole(spec.get("completions")),
            "backoff_limit": whole(spec.get("backoffLimit")),
            "active_deadline_seconds": whole(spec.get("activeDeadlineSeconds")),
            "ttl_seconds_after_finished": whole(spec.get("ttlSecondsAfterFinished")),
            "succeeded": whole(status.get("succeeded")),
            "failed": whole(status.get("failed")),
        }
        if self.denials:
            shown["denials"] = self.denials.detail()
        if self.deletion:
            shown[DELETION] = self.deletion.detail()
        return {name: value for name, value in shown.items() if value not in (None, {})}

    # -- events ------------------------------------------------------------------------------

    def _events(self) -> Iterator[RunEvent]:
        yield event(
            self.created, EventKind.CREATED, "Job created", "created", actor=self._creator()
        )
        begun = moment(status_of(self.job).get("startTime"))
        if begun:
            stamp = str(micros(begun))
            yield event(begun, EventKind.STARTED, "Job started", "started", stamp, order=5)
        yield from self._suspension()
        if self.denials and DENIED not in self.snapshot.flags:
            yield self._denied(self.denials)
        yield from checkpoint_events(self.job, begun or self.created)
        for pod in self.snapshot.pods:
            yield from pod_events(pod, self.attempts[uid_of(pod)], self.created)
            if uid_of(pod) in self.snapshot.removed and ending_of(pod) is None:
                yield stopped_event(pod, self.attempts[uid_of(pod)], self.now, self._stopper())
        if self.deletion:
            yield from self.deletion.events()
        yield from self._end()

    def _stopper(self) -> str:
        """Why pods of this Job are removed; empty when nothing explains it."""
        if self.snapshot.deleted:
            return "The Job was deleted."
        if self.outcome:
            return f"The Job had ended: {self.outcome.reason or self.outcome.status.value}."
        failing = condition_of(self.job, "FailureTarget")
        if failing.get("status") == "True":
            return f"The Job was ending: {text(failing.get('reason'), 80)}."
        return "The Job was suspended." if self.spec.get("suspend") is True else ""

    def _suspension(self) -> Iterator[RunEvent]:
        condition = condition_of(self.job, "Suspended")
        at = moment(condition.get("lastTransitionTime"))
        if at is None:
            return
        suspended = condition.get("status") == "True"
        kind = EventKind.PAUSED if suspended else EventKind.RESUMED
        title = "Job suspended" if suspended else "Job resumed"
        changed = changed_at(self.job, "spec", "suspend")
        yield event(
            at,
            kind,
            title,
            *(kind.value, str(micros(at))),
            order=8,
            detail={"spec_changed_at": changed.isoformat() if changed else None},
        )

    def _denied(self, denials: Denials) -> RunEvent:
        refusal = denials.refusal
        by = f" by quota {refusal.quota}" if refusal else ""
        return event(
            denials.first_at,
            EventKind.DENIED,
            f"Pods refused{by}",
            "denied",
            order=12,
            message=denials.words(),
            detail=denials.detail(),
        )

    def _end(self) -> Iterator[RunEvent]:
        outcome = self.outcome
        if outcome is None:
            return
        if outcome.status is Status.DELETED:
            known = moment(metadata_of(self.job).get("deletionTimestamp"))
            seq = micros(known, 99) if known else LAST
            words = "Deleted unfinished"
            yield event(outcome.at, EventKind.DELETED, words, "deleted", seq=seq)
            return
        titles = {Status.SUCCEEDED: "Job completed", Status.TIMED_OUT: "Job exceeded its deadline"}
        yield event(
            outcome.at,
            EventKind(outcome.status.value),
            titles.get(outcome.status, "Job failed"),
            "closed",
            order=90,
            message=outcome.message,
            detail={"reason": outcome.reason, "failure": outcome.kind.value},
        )
        yield from self._cleanup(outcome)

    def _cleanup(self, outcome: JobOutcome) -> Iterator[RunEvent]:
        due = self._cleanup_at()
        if self.snapshot.deleted and GONE not in self.snapshot.flags:
            words = "Removed itself as planned" if due else "Removed"
            seq = micros(due or outcome.at, 95)
            yield event(
                gone_at(self.snapshot, self.now), EventKind.CLEANUP, words, "cleaned", seq=seq
            )
        elif due and self._overdue() and not self.deletion:
            yield event(
                due + GRACE,
                EventKind.CLEANUP,
                "Clean-up overdue",
                "overdue",
                message="It should have removed itself and is still there.",
                detail={"due_at": due.isoformat()},
            )
