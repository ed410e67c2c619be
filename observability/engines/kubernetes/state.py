"""Where a Job is: what we have of it, whether and how it ended, how a look is named. Near-pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final

from console import lenient_json
from console.pages.plural import plural
from console.unstructured import mapping, moment, whole
from observability.engines.contracts import FailureKind, Status
from observability.engines.deletion import HELD, deletion_of
from observability.engines.kubernetes.denials import Denials
from observability.engines.kubernetes.pods import (
    Ending,
    condition_of,
    ending_of,
    phase_of,
    status_of,
)
from observability.engines.unstructured import (
    Object,
    labels_of,
    metadata_of,
    name_of,
    owners_of,
    text,
    version_of,
)

_CRON: Final = re.compile(r"-\d{8,}$")
_LATE: Final = "DeadlineExceeded"
_STARTED: Final = frozenset({"Running", "Succeeded", "Failed"})
_COMPLETED: Final = "Complete"
DENIED: Final = "q"
DOCUMENTED: Final = "d"
GONE: Final = "g"
OVERDUE: Final = "o"


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """What we have of one Job now. `removed` are uids of pods that were deleted before they had
    ended; `deleted` says that the Job itself is gone; `before` is the last revision we gave.
    """

    job: Object
    pods: Sequence[Object] = ()
    warnings: Sequence[Object] = ()
    removed: frozenset[str] = frozenset()
    deleted: bool = False
    before: str = ""

    @property
    def flags(self) -> frozenset[str]:
        """What was given before, by its flags."""
        return flags_of(self.before)


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a Job ended."""

    at: datetime
    status: Status
    kind: FailureKind = FailureKind.NONE
    reason: str = ""
    message: str = ""


def is_finished(job: Object) -> bool:
    """Whether a Job is complete or failed."""
    return any(condition_of(job, kind).get("status") == "True" for kind in (_COMPLETED, "Failed"))


def type_of(job: Object) -> str:
    """What kind of job it is for people: a label, else the name without its generated end."""
    labels, name = labels_of(job), name_of(job)
    app = labels.get("app.kubernetes.io/name") or labels.get("app")
    if app:
        return text(app, 200)
    for owner in owners_of(job):
        if owner.get("kind") == "CronJob":
            return text(owner.get("name"), 200) or name
    prefix = text(metadata_of(job).get("generateName"), 200).rstrip("-")
    if prefix and name.startswith(prefix):
        return prefix
    return _CRON.sub("", name)


def revision_of(snapshot: JobSnapshot, flags: frozenset[str]) -> str:
    """`JOB.PODS.EVENTS` as resource versions (of the last two the highest), then flags: letters
    that say what was told already, so that a later look need not tell it again.

    None of the numbers falls below that of the last revision: pods and events go, looks at the
    events are rare, and neither makes this look an older one.
    """
    before = [max(whole(number) or 0, 0) for number in snapshot.before.partition(" ")[0].split(".")]
    versions = [_highest([snapshot.job]), _highest(snapshot.pods), _highest(snapshot.warnings)]
    numbers = [max(pair) for pair in zip_longest(versions, before, fillvalue=0)]
    return f"{'.'.join(map(str, numbers))} {''.join(sorted(flags))}".strip()


def _highest(items: Sequence[Object]) -> int:
    return max([0, *(whole(version_of(item)) or 0 for item in items)])


def flags_of(revision: str) -> frozenset[str]:
    """The flags at the end of a revision."""
    return frozenset(revision.partition(" ")[2])


def outcome_of(snapshot: JobSnapshot, denials: Denials | None, now: datetime) -> JobOutcome | None:
    """How it ended; None while it has not. `now` dates what has no time of its own."""
    complete = condition_of(snapshot.job, _COMPLETED)
    if complete.get("status") == "True":
        at = moment(status_of(snapshot.job).get("completionTime")) or _when(complete, now)
        return JobOutcome(at, Status.SUCCEEDED, reason=text(complete.get("reason"), 80))
    failed = condition_of(snapshot.job, "Failed")
    if failed.get("status") == "True":
        return _failure(snapshot, denials, failed, now)
    if snapshot.deleted:
        words = "Deleted before it had finished."
        return JobOutcome(
            gone_at(snapshot, now), Status.DELETED, FailureKind.CANCELLED, message=words
        )
    return None


def _failure(
    snapshot: JobSnapshot, denials: Denials | None, condition: Mapping[str, Any], now: datetime
) -> JobOutcome:
    reason, explanation = text(condition.get("reason"), 80), text(condition.get("message"), 500)
    last = _last_failure(snapshot.pods)
    message = explanation or reason
    if denials and not snapshot.pods:
        message = f"{message}. No pod was ever admitted: {denials.words()}"
        kind = FailureKind.QUOTA
    else:
        kind = last.kind if last else FailureKind.APPLICATION
        if reason == _LATE:
            kind = FailureKind.DEADLINE
            message = f"{message}. The last pod: {last.words()}" if last else message
        elif last:
            # A list shows the beginning only: what the pod died of, not that it was the last try.
            message = f"{last.words()}. {message}"
    status = Status.TIMED_OUT if reason == _LATE else Status.FAILED
    return JobOutcome(_when(condition, now), status, kind, reason, text(message))


def _last_failure(pods: Sequence[Object]) -> Ending | None:
    endings = [ending for ending in map(ending_of, pods) if ending]
    bad = [ending for ending in endings if not ending.succeeded]
    return max(bad, key=lambda ending: ending.at, default=None)


def _when(condition: Mapping[str, Any], otherwise: datetime) -> datetime:
    return moment(condition.get("lastTransitionTime")) or otherwise


def gone_at(snapshot: JobSnapshot, now: datetime) -> datetime:
    """When a Job that is gone was removed, as far as can be told: what a finalizer held was not
    removed when its deletion was asked for."""
    deletion_asked_at = moment(metadata_of(snapshot.job).get("deletionTimestamp"))
    return now if deletion_asked_at is None or HELD in snapshot.flags else deletion_asked_at


def held_by(snapshot: JobSnapshot) -> str:
    """Which pods keep a Job from being removed, and which finalizers keep those."""
    for pod in snapshot.pods:
        deletion = deletion_of(pod)
        if deletion is not None and deletion.finalizers:
            return f"pod {name_of(pod)} is {deletion.words()}"
    number = len(snapshot.pods)
    return f"{plural(number, 'pod is', 'pods are')} still there" if number else ""


def open_status(snapshot: JobSnapshot) -> Status:
    """Where a Job is that has not ended."""
    if mapping(snapshot.job.get("spec")).get("suspend") is True:
        return Status.PAUSED
    status = status_of(snapshot.job)
    begun = bool(whole(status.get("failed")) or whole(status.get("succeeded")))
    phases = {phase_of(pod) for pod in snapshot.pods}
    return Status.RUNNING if begun or phases & _STARTED else Status.WAITING


def document_of(snapshot: JobSnapshot) -> bytes:
    """The cluster's own record of a Job: itself, its pods, its warnings, as JSON."""
    pods = sorted(snapshot.pods, key=name_of)
    document = {"job": snapshot.job, "pods": pods, "events": sorted(snapshot.warnings, key=name_of)}
    return lenient_json.dumps(document)
