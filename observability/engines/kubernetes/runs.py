"""A Job with its pods and Kubernetes Events, as a run of the trail. Near-pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from console.unstructured import mapping, mappings, moment, moment_after, whole
from observability.engines.contracts import (
    DELETION,
    DENIALS,
    SITUATION,
    Engine,
    FailureKind,
    RunSnapshot,
    Status,
    run_key,
)
from observability.engines.deletion import GRACE, HELD, deletion_of, removed_at
from observability.engines.failure_kinds import REFUSALS
from observability.engines.kubernetes.attempts import attempt_count, ranks_of
from observability.engines.kubernetes.denials import failed_creates_of
from observability.engines.kubernetes.indexes import index_list
from observability.engines.kubernetes.job_events import JobFacts, job_events
from observability.engines.kubernetes.objects import has_ended, node_of, spec_of, status_of
from observability.engines.kubernetes.outcome import open_cause, outcome_of
from observability.engines.kubernetes.pods import JobPod, started_of
from observability.engines.kubernetes.removals import stopped_because
from observability.engines.kubernetes.situation import situation_of
from observability.engines.kubernetes.state import (
    DOCUMENTED,
    FAILING,
    GONE,
    MANUAL,
    OVERDUE,
    JobSnapshot,
    document_of,
    had_pods,
    held_by,
    is_ending,
    is_finished,
    lacking_pods,
    managed_by,
    open_status,
    revision_of,
    selects_by_hand,
    type_of,
)
from observability.engines.times import plausible
from observability.engines.unstructured import (
    Object,
    created_of,
    creator_of,
    links_of,
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

_PASSING: Final = REFUSALS | {FailureKind.IMAGE, FailureKind.INVALID}
"""Failures that are over, without another attempt, once what stood in the way is gone."""
_LONGEST_LIST: Final = 300


def run_of(snapshot: JobSnapshot, now: datetime) -> RunSnapshot:
    """The run as it is now, with its events, and its document once it has ended."""
    return plausible(_JobTranslation(snapshot, now).run(), now, by_node=True)


class _JobTranslation:
    """One Job on its way into a RunSnapshot."""

    def __init__(self, snapshot: JobSnapshot, now: datetime) -> None:
        job = snapshot.job
        self.snapshot, self.job, self.now = snapshot, job, now
        self.spec = spec_of(job)
        self.template = mapping(self.spec.get("template"))
        self.created = created_of(job, now)
        known_denials = mapping(snapshot.known.attributes.get(DENIALS))
        self.refused = failed_creates_of(snapshot.warnings, self.created, known_denials)
        self.denials = self.refused.denials
        self.pods = self._pods()
        self.outcome = outcome_of(snapshot, self.pods, self.denials, now)
        self.cause = None if self.outcome else open_cause(snapshot, self.pods, self.denials)
        self.deletion = None if snapshot.deleted else deletion_of(job, held_by(snapshot))

    def run(self) -> RunSnapshot:
        """All of it."""
        job, outcome, cause = self.job, self.outcome, self.cause
        events = tuple(job_events(self._facts()))
        ended = outcome is not None
        removed = self.snapshot.deleted and is_finished(job)
        give = ended and (DOCUMENTED not in self.snapshot.flags or not self.snapshot.deleted)
        status = outcome.status if outcome else open_status(self.snapshot)
        return RunSnapshot(
            external_id=name_of(job),
            run_id=uid_of(job),
            location=namespace_of(job),
            type=type_of(job),
            status=status,
            created_at=self.created,
            revision=revision_of(self.snapshot, self._flags()),
            began_at=self._began_at(status),
            closed_at=outcome.at if outcome else None,
            tenant=tenant_of(job, self.template),
            attempts=self._attempt_count(),
            failure=outcome.message if outcome else cause.words if cause else "",
            failure_kind=outcome.kind if outcome else cause.kind if cause else FailureKind.NONE,
            is_well=self._is_over(),
            started_by=self._creator(),
            worker=self._worker(),
            build=self._image(),
            parent=parent_of(job, self.template) or self._owner_key(),
            links=links_of(job, self.template),
            progress=progress_of(events),
            cleanup_at=self._cleanup_at(),
            cleaned_at=removed_at(self.snapshot.job, self.snapshot.flags, self.now)
            if removed
            else None,
            attributes=self._attributes(),
            events=events,
            document=document_of(self.snapshot) if give else None,
        )

    def _facts(self) -> JobFacts:
        return JobFacts(
            snapshot=self.snapshot,
            created=self.created,
            now=self.now,
            creator=self._creator(),
            pods=self.pods,
            denials=self.denials,
            outcome=self.outcome,
            deletion=self.deletion,
            is_let_in=self._is_over() and self._known_kind() in REFUSALS,
            cleanup_at=self._cleanup_at(),
            is_overdue=self._overdue(),
        )

    # -- pods --------------------------------------------------------------------------------

    def _pods(self) -> list[JobPod]:
        """The pods in the order given, each with which try it is and why it was stopped."""
        snapshot, pods = self.snapshot, self.snapshot.pods
        lost = {
            uid_of(pod) for pod in pods if uid_of(pod) in snapshot.removed and not has_ended(pod)
        }
        stopped = {uid_of(pod): self._stopped(pod, gone=uid_of(pod) in lost) for pod in pods}
        self.stopped = {uid for uid, why in stopped.items() if why}
        self.ranks = ranks_of(self.job, pods, self.stopped, lost)
        return [
            JobPod(
                pod,
                self.job,
                attempt=self.ranks[uid_of(pod)],
                stopped=stopped[uid_of(pod)],
                gone_at=self.now if uid_of(pod) in lost else None,
            )
            for pod in pods
        ]

    def _stopped(self, pod: Object, *, gone: bool) -> str:
        if gone and self.snapshot.deleted:
            return "The Job was deleted."
        return stopped_because(self.job, pod, gone_at=self.now if gone else None)

    def _attempt_count(self) -> int | None:
        return attempt_count(self.job, self.template, self.snapshot.pods, self.ranks, self.stopped)

    # -- state -------------------------------------------------------------------------------

    def _flags(self) -> frozenset[str]:
        ended, gone, before = self.outcome is not None, self.snapshot.deleted, self.snapshot.flags
        failing = self.cause is not None or (FAILING in before and not self._is_over())
        now = {
            DOCUMENTED: ended,
            GONE: gone,
            OVERDUE: self._overdue(),
            HELD: self.deletion is not None,
            MANUAL: selects_by_hand(self.job) and not ended,
            FAILING: failing and not ended,
        }
        kept = before - {FAILING, MANUAL}
        return kept | {flag for flag, holds in now.items() if holds}

    def _known_kind(self) -> FailureKind | None:
        known = self.snapshot.known.failure_kind
        return next((kind for kind in _PASSING if kind.value == known), None)

    def _is_over(self) -> bool:
        """Whether what stood in the way of its pods, and was told as its failure, is gone."""
        return (
            self.outcome is None
            and self.cause is None
            and FAILING in self.snapshot.flags
            and self._known_kind() is not None
            and not lacking_pods(self.job)
        )

    def _overdue(self) -> bool:
        due = self._cleanup_at()
        return due is not None and due + GRACE < self.now and not self.snapshot.deleted

    def _cleanup_at(self) -> datetime | None:
        after = whole(self.spec.get("ttlSecondsAfterFinished"))
        if after is None or after < 0 or self.outcome is None or not is_finished(self.job):
            return None
        return moment_after(self.outcome.at, after)

    def _began_at(self, status: Status) -> datetime | None:
        """When its first pod started, by the clock of its node; where its pods are in another
        cluster, when the Job did."""
        started = [at for at in map(started_of, self.snapshot.pods) if at]
        if not started and managed_by(self.job) and status is not Status.WAITING:
            return moment(status_of(self.job).get("startTime"))
        return min(started, default=None)

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
        nodes = [(started_of(pod), node_of(pod)) for pod in self.snapshot.pods]
        known = [(at, node) for at, node in nodes if at and node]
        return max(known)[1] if known else ""

    def _image(self) -> str:
        containers = mappings(mapping(self.template.get("spec")).get("containers"))
        return text(containers[0].get("image"), 255) if containers else ""

    def _attributes(self) -> dict[str, Any]:
        spec, status = self.spec, status_of(self.job)
        shown = {
            SITUATION: self._situation(),
            DELETION: self.deletion.detail() if self.deletion else None,
            DENIALS: self.denials.detail() if self.denials else None,
            "lacking_pods": lacking_pods(self.job),
            "managed_by": managed_by(self.job) or None,
            "completion_mode": text(spec.get("completionMode"), 20) or None,
            "completed_indexes": index_list(status.get("completedIndexes"), _LONGEST_LIST) or None,
            "failed_indexes": index_list(status.get("failedIndexes"), _LONGEST_LIST) or None,
            "parallelism": whole(spec.get("parallelism")),
            "completions": whole(spec.get("completions")),
            "backoff_limit": whole(spec.get("backoffLimit")),
            "backoff_limit_per_index": whole(spec.get("backoffLimitPerIndex")),
            "max_failed_indexes": whole(spec.get("maxFailedIndexes")),
            "active_deadline_seconds": whole(spec.get("activeDeadlineSeconds")),
            "ttl_seconds_after_finished": whole(spec.get("ttlSecondsAfterFinished")),
            "succeeded": whole(status.get("succeeded")),
            "failed": whole(status.get("failed")),
            "labels": shown_labels(self.job),
        }
        return {name: value for name, value in shown.items() if value not in (None, {})}

    def _situation(self) -> str | None:
        """None keeps what is known: how it was before it was stopped."""
        if self.outcome:
            return self.outcome.note
        if is_ending(self.job):
            return None
        return situation_of(
            self.job,
            self.pods,
            self.refused.trouble,
            had_pods=had_pods(self.snapshot, self.now),
        )
