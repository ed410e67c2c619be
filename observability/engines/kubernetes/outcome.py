"""Why a Job ended as it did, and what is wrong with one that goes on. Near-pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.unstructured import moment, whole
from observability.engines.contracts import SITUATION, FailureKind, Status
from observability.engines.deletion import deleted_at, removed_at
from observability.engines.failure_kinds import REFUSALS
from observability.engines.kubernetes.denials import Denials
from observability.engines.kubernetes.endings import EPOCH, disruption_of, failing_in
from observability.engines.kubernetes.indexes import index_ranges, index_words
from observability.engines.kubernetes.objects import (
    condition_of,
    spec_of,
    status_of,
)
from observability.engines.kubernetes.pods import (
    IMAGE_REASONS,
    STUCK_REASONS,
    JobPod,
    started_of,
)
from observability.engines.kubernetes.situation import kept_alive_words, progress_words
from observability.engines.kubernetes.state import JobSnapshot, lacking_pods
from observability.engines.unstructured import created_of, name_of, text

_LATE: Final = "DeadlineExceeded"
_CAUSE: Final = 900
_EXITED: Final = re.compile(r" failed with exit code [0-9]{1,10} ")
"""In what a Job says of the rule of its pod failure policy that failed it."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a Job ended. `message` is its failure, `note` what else is to be said of the end."""

    at: datetime
    status: Status
    kind: FailureKind = FailureKind.NONE
    reason: str = ""
    message: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong last: with a pod, or on the way to one."""

    at: datetime
    kind: FailureKind
    words: str


def outcome_of(
    snapshot: JobSnapshot, pods: Sequence[JobPod], denials: Denials | None, now: datetime
) -> JobOutcome | None:
    """How it ended; None while it has not. `now` dates what has no time of its own."""
    complete, failed = condition_of(snapshot.job, "Complete"), condition_of(snapshot.job, "Failed")
    if complete.get("status") == "True":
        at = moment(status_of(snapshot.job).get("completionTime")) or _when(complete, now)
        reason = text(complete.get("reason"), 80)
        note = _success_note(snapshot, complete) if reason == "SuccessPolicy" else ""
        return JobOutcome(at, Status.SUCCEEDED, reason=reason, note=note)
    if failed.get("status") == "True":
        return _Failure(snapshot, pods, denials).outcome(_when(failed, now))
    if snapshot.deleted:
        words = "Deleted before it had finished."
        return JobOutcome(
            removed_at(snapshot.job, snapshot.flags, now),
            Status.DELETED,
            FailureKind.CANCELLED,
            message=words,
        )
    return None


def _when(condition: Mapping[str, Any], otherwise: datetime) -> datetime:
    return moment(condition.get("lastTransitionTime")) or otherwise


def _success_note(snapshot: JobSnapshot, condition: Mapping[str, Any]) -> str:
    job = snapshot.job
    completions = whole(spec_of(job).get("completions"))
    succeeded = index_ranges(status_of(job).get("completedIndexes"), below=completions)
    rule = text(condition.get("message"), 200)
    words = f"by its success policy{f' ({rule})' if rule else ''}"
    done = f": {index_words(succeeded)} succeeded" if succeeded else ""
    return f"{words}{done}, what else still ran was stopped"


class _Failure:
    """A Job that failed: what is known of why."""

    def __init__(
        self, snapshot: JobSnapshot, pods: Sequence[JobPod], denials: Denials | None
    ) -> None:
        self._snapshot, self._pods, self._denials = snapshot, pods, denials
        condition = condition_of(snapshot.job, "Failed")
        self._reason = text(condition.get("reason"), 80)
        self._explanation = text(condition.get("message"), 500) or self._reason
        self._late = self._reason == _LATE
        self._last = last_cause(pods, decisive=self._reason == "PodFailurePolicy")

    def outcome(self, at: datetime) -> JobOutcome:
        """The most telling of it first; what the Job says of itself is never the root cause."""
        status = Status.TIMED_OUT if self._late else Status.FAILED
        known = self._snapshot.known
        if self._explanation and self._explanation in known.failure and not self._last:
            # It was read before, when more was there.
            kind, message = _kind_of(known.failure_kind), known.failure
        else:
            kind, message = self._refused() or (self._timed_out() if self._late else self._spent())
        return JobOutcome(at, status, kind, self._reason, text(message))

    def _refused(self) -> tuple[FailureKind, str] | None:
        """Where pods were refused to the end."""
        denials, known = self._denials, self._snapshot.known
        never = self._never_had_pods()
        who = "No pod was ever admitted" if never else "Its next pod was refused"
        if denials and (never or (self._late and is_refused(self._pods, denials))):
            return denials.kind, f"{self._explanation}. {who}: {denials.words()}"
        if never and _kind_of(known.failure_kind) in REFUSALS:
            return _kind_of(known.failure_kind), f"{self._explanation}. {who}: {known.failure}"
        return None

    def _never_had_pods(self) -> bool:
        status = status_of(self._snapshot.job)
        counted = any(whole(status.get(name)) for name in ("failed", "succeeded", "active"))
        return not (self._pods or counted or self._snapshot.known.attempts)

    def _timed_out(self) -> tuple[FailureKind, str]:
        last, known = self._last, self._snapshot.known
        kind, words = FailureKind.DEADLINE, known.failure
        if last is not None:
            words = last.words
        cause = last.kind if last else _kind_of(known.failure_kind)
        if cause is FailureKind.IMAGE and not any(started_of(item.pod) for item in self._pods):
            kind = FailureKind.IMAGE
        if words:
            return kind, f"{self._explanation}. The last pod: {words}"
        kept = next(filter(None, map(kept_alive_words, self._pods)), "")
        kept = kept or text(known.attributes.get(SITUATION), _CAUSE)
        return kind, f"{self._explanation}. Until then: {kept}" if kept else self._explanation

    def _spent(self) -> tuple[FailureKind, str]:
        last, known = self._last, self._snapshot.known
        words = last.words if last else known.failure
        kind = last.kind if last else _kind_of(known.failure_kind)
        # A list shows the beginning only: what the pod died of, not that it was the last try.
        parts = [part for part in (words, progress_words(self._snapshot.job)) if part]
        cause = "; ".join(parts).rstrip(".")
        message = f"{cause}. {self._explanation}" if cause else self._explanation
        return self._kind_without_pods() if kind is FailureKind.NONE else kind, message

    def _kind_without_pods(self) -> FailureKind:
        """Where nothing is known of any pod, it was the job's own error only if the Job says so."""
        exited = _EXITED.search(self._explanation)
        return FailureKind.APPLICATION if exited else FailureKind.OTHER


def _kind_of(value: str) -> FailureKind:
    try:
        return FailureKind(value)
    except ValueError:
        return FailureKind.OTHER


def is_refused(pods: Sequence[JobPod], denials: Denials) -> bool:
    """Whether no pod came after the last refusal."""
    newest = max((created_of(subject.pod, EPOCH) for subject in pods), default=EPOCH)
    return denials.last_at > newest


def open_cause(
    snapshot: JobSnapshot, pods: Sequence[JobPod], denials: Denials | None
) -> Cause | None:
    """What is wrong with a Job that has not ended; None when nothing is, as far as this shows."""
    if denials and lacking_pods(snapshot.job) and is_refused(pods, denials):
        return Cause(denials.last_at, denials.kind, denials.words())
    return last_cause(pods)


def last_cause(pods: Sequence[JobPod], *, decisive: bool = False) -> Cause | None:
    """What went wrong last with pods; `decisive`: with those by which the pod failure policy failed
    the Job, where there are any."""
    if decisive:
        ended_it = [item for item in pods if (rule := item.rule) and rule.action == "FailJob"]
        pods = ended_it or pods
    causes = [cause for subject in pods for cause in _causes(subject)]
    return max(causes, key=lambda cause: cause.at, default=None)


def _causes(subject: JobPod) -> list[Cause]:
    endings = [restart.ending for restart in subject.restarts]
    ending = subject.ending
    if ending and not ending.succeeded and not subject.stopped:
        endings.append(ending)
    elif not ending and (failing := failing_in(subject.pod, subject.template)):
        endings.append(failing)
    causes = [Cause(end.at, end.kind, end.words(_CAUSE)) for end in endings]
    if rule := subject.rule:
        causes = [Cause(one.at, one.kind, f"{one.words}; {rule.words()}") for one in causes]
    if ending is None:
        causes += [*_unstarted(subject), *_taken_away(subject)]
    return causes


def _taken_away(subject: JobPod) -> list[Cause]:
    """A pod that the cluster takes away, or that vanished."""
    at = deleted_at(subject.pod) or subject.gone_at
    kind, reason, explained = disruption_of(subject.pod)
    if subject.stopped or at is None:
        return []
    if reason:
        return [Cause(at, kind, f"{reason}: {explained}" if explained else reason)]
    if subject.gone_at is None:
        return []
    words = f"pod {name_of(subject.pod)} was removed before it had ended"
    return [Cause(at, FailureKind.WORKER_LOST, words)]


def _unstarted(subject: JobPod) -> list[Cause]:
    """Containers that cannot begin: their image cannot be pulled, a Secret is missing."""
    scheduled = condition_of(subject.pod, "PodScheduled").get("lastTransitionTime")
    at = moment(scheduled) or created_of(subject.pod, EPOCH)
    causes = []
    for container in subject.containers:
        reason = text(container.waiting.get("reason"), 80)
        message = text(container.waiting.get("message"), _CAUSE)
        words = f"{container.title}: {reason}{f': {message}' if message else ''}"
        if reason in IMAGE_REASONS:
            causes.append(Cause(at, FailureKind.IMAGE, words))
        elif reason in STUCK_REASONS:
            causes.append(Cause(at, FailureKind.INVALID, words))
    return causes
