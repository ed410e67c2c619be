"""Where a Job is: what we have of it, whether it goes on, how a look is named. Near-pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Final

from console import lenient_json
from console.pages.plural import plural
from console.unstructured import mapping, moment, whole
from observability.engines.contracts import KnownRun, Status
from observability.engines.deletion import deletion_of
from observability.engines.kubernetes.attempts import is_indexed
from observability.engines.kubernetes.indexes import count_of, index_ranges, succeeded_count
from observability.engines.kubernetes.objects import (
    condition_of,
    is_true,
    phase_of,
    spec_of,
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
_COUNTED: Final = ("active", "ready", "terminating", "failed", "succeeded")
_FRESH: Final = timedelta(minutes=1)
_STARTED: Final = frozenset({"Running", "Succeeded", "Failed"})
_OWN_CONTROLLER: Final = "kubernetes.io/job-controller"
FAILING: Final = "f"
DOCUMENTED: Final = "d"
GONE: Final = "g"
MANUAL: Final = "m"
OVERDUE: Final = "o"


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """What we have of one Job now. `removed` are uids of pods that were deleted before they had
    ended; `deleted` says that the Job itself is gone; `before` is the last revision we gave, and
    `known` what our row says of it, where that was asked for.
    """

    job: Object
    pods: Sequence[Object] = ()
    warnings: Sequence[Object] = ()
    removed: frozenset[str] = frozenset()
    deleted: bool = False
    before: str = ""
    known: KnownRun = field(default_factory=KnownRun)

    @property
    def flags(self) -> frozenset[str]:
        """What was given before, by its flags."""
        return flags_of(self.before)


def needs_known(snapshot: JobSnapshot) -> bool:
    """Whether our own row is needed beside what the cluster has: what it says of refusals expires
    after an hour, and what a pod died of goes with the pod."""
    refused = any(warning.get("reason") == "FailedCreate" for warning in snapshot.warnings)
    return refused or is_true(snapshot.job, "Failed") or FAILING in snapshot.flags


def is_finished(job: Object) -> bool:
    """Whether a Job is complete or failed."""
    return is_true(job, "Complete") or is_true(job, "Failed")


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


def held_by(snapshot: JobSnapshot) -> str:
    """Which pods keep a Job from being removed, and which finalizers keep those."""
    for pod in snapshot.pods:
        deletion = deletion_of(pod)
        if deletion is not None and deletion.finalizers:
            return f"pod {name_of(pod)} is {deletion.words()}"
    number = len(snapshot.pods)
    return f"{plural(number, 'pod is', 'pods are')} still there" if number else ""


def managed_by(job: Object) -> str:
    """Who looks after a Job in place of the cluster's own controller; empty when nobody does."""
    manager = text(spec_of(job).get("managedBy"), 200)
    return "" if manager == _OWN_CONTROLLER else manager


def is_ending(job: Object) -> bool:
    """Whether a Job has been decided and only stops what still runs of it."""
    return is_true(job, "FailureTarget") or is_true(job, "SuccessCriteriaMet")


def is_suspended(job: Object) -> bool:
    """Whether a Job must not run now."""
    return spec_of(job).get("suspend") is True


def selects_by_hand(job: Object) -> bool:
    """Whether the pods of a Job carry the labels that its author chose, and not its name."""
    return spec_of(job).get("manualSelector") is True


def lacking_pods(job: Object) -> int:
    """How many pods a Job wants that are not there: refused, or still to be made."""
    spec, status = spec_of(job), status_of(job)
    if is_finished(job) or is_ending(job) or is_suspended(job) or managed_by(job):
        return 0
    parallelism = whole(spec.get("parallelism"))
    wanted = 1 if parallelism is None else max(parallelism, 0)
    succeeded = succeeded_count(job)
    completions = whole(spec.get("completions"))
    if completions is not None:
        failed = count_of(index_ranges(status.get("failedIndexes"))) if is_indexed(job) else 0
        wanted = min(wanted, max(completions - succeeded - failed, 0))
    elif succeeded:
        wanted = 0
    return max(wanted - max(whole(status.get("active")) or 0, 0), 0)


def had_pods(snapshot: JobSnapshot, now: datetime) -> bool | None:
    """Whether a Job has had a pod; None where that is not known: what a pod failure policy does not
    count, or what was there before a suspension, leaves no trace."""
    status, before = status_of(snapshot.job), snapshot.before.partition(" ")[0].split(".")
    uncounted = mapping(status.get("uncountedTerminatedPods"))
    if (
        snapshot.pods
        or snapshot.known.attempts
        or any(whole(number) for number in before[1:2])
        or any(uncounted.values())
        or any(whole(status.get(name)) for name in _COUNTED)
    ):
        return True
    began = moment(status.get("startTime"))  # set before its first pod is created
    is_fresh = began is None or now - began <= _FRESH
    return False if is_fresh and not condition_of(snapshot.job, "Suspended") else None


def open_status(snapshot: JobSnapshot) -> Status:
    """Where a Job is that has not ended."""
    job = snapshot.job
    if is_suspended(job):
        return Status.PAUSED
    status = status_of(job)
    numbers = ["failed", "succeeded"] + (["ready"] if managed_by(job) else [])
    begun = any(whole(status.get(name)) for name in numbers)
    phases = {phase_of(pod) for pod in snapshot.pods}
    return Status.RUNNING if begun or phases & _STARTED else Status.WAITING


def document_of(snapshot: JobSnapshot) -> bytes:
    """The cluster's own record of a Job: itself, its pods, its warnings, as JSON."""
    pods = sorted(snapshot.pods, key=name_of)
    document = {"job": snapshot.job, "pods": pods, "events": sorted(snapshot.warnings, key=name_of)}
    return lenient_json.dumps(document)
