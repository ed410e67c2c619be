"""The work of one placement on its way: what may be written, and what came of it. Pure.

Fields of other owners are never taken silently: without `force` the owner is named in a Conflict.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from console.errors import Conflict, ExternalError
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.ports import Change, FieldChange, ObjectRef, Result, Work

Key = tuple[str, str, str]
Problem = tuple[ObjectRef, ExternalError]


@dataclass(slots=True)
class Job:
    """The work of one placement on its way. `waiting` are the applies that have no answer yet."""

    work: Work
    applies: dict[Key, Change] = field(default_factory=dict)
    after: list[Change] = field(default_factory=list)
    waiting: set[Key] = field(default_factory=set)
    done: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    calls: int = 0
    begun: float = field(default_factory=time.monotonic)

    def give_up(self) -> None:
        """Nothing (more) is written for this placement."""
        self.applies.clear()
        self.after.clear()
        self.waiting.clear()

    def result(self) -> Result:
        """How it ended, as the loop wants it."""
        return Result(
            placement=self.work.placement,
            done=tuple(self.done),
            error=summary(self.problems),
            calls=self.calls,
            seconds=time.monotonic() - self.begun,
        )


def sorted_job(work: Work) -> Job:
    """The changes sorted into applies, what comes after them, and what is contested."""
    job = Job(work)
    for change in work.changes:
        foreign = {} if work.force else _contested(change)
        if foreign:
            job.problems.append((change.ref, _named(change.ref, foreign)))
        elif change.desired is None:
            job.after.append(change)
        else:
            job.applies[change.ref.kind, change.ref.namespace, change.ref.name] = change
    if any(ref.kind == "Namespace" for ref, _ in job.problems):
        # Somebody else's namespace: nothing is put into it either.
        job.give_up()
    job.waiting = set(job.applies)
    return job


def _contested(change: Change) -> dict[str, str]:
    """What server-side apply would not refuse by itself: taking over an object that is not ours,
    and removing an entry that somebody else wrote."""
    if change.desired is None:
        return {}
    return {
        item.path: item.owner.manager
        for item in change.fields
        if item.owner is not None and (item.path == names.MANAGED_PATH or _removes(change, item))
    }


def _removes(change: Change, item: FieldChange) -> bool:
    return change.desired is not None and item.path not in change.desired.fields


def _named(ref: ObjectRef, owners: Mapping[str, str]) -> Conflict:
    if names.MANAGED_PATH in owners:
        message = (
            f"{ref} exists and is not Headroom's (last written by {owners[names.MANAGED_PATH]});"
            " it must be adopted before anything is written to it."
        )
    else:
        fields = ", ".join(f"{path} (by {owner})" for path, owner in sorted(owners.items()))
        message = f"{ref}: somebody else added {fields}."
    return Conflict(message, owners=owners)


def takes_over(change: Change) -> bool:
    return any(item.path == names.MANAGED_PATH and item.owner is not None for item in change.fields)


def leftovers(change: Change) -> list[str]:
    """Entries of a quota that are not ours: an apply does not remove them, a patch does."""
    return [
        item.path.removeprefix("spec.hard[")[:-1]
        for item in change.fields
        if item.owner is not None and item.path.startswith("spec.hard[") and _removes(change, item)
    ]


def understood(error: ExternalError, change: Change) -> ExternalError:
    if isinstance(error, Conflict) and error.owners:
        paths = {_dotted(item.path): item.path for item in change.fields}
        owners = {paths.get(path, path.lstrip(".")): name for path, name in error.owners.items()}
        return Conflict(_held(change.ref, owners), owners=owners)
    if error.code == "namespace_terminating":
        return ExternalError(error.message, retryable=True, code=error.code, retry_after=2.0)
    return error


def _held(ref: ObjectRef, owners: Mapping[str, str]) -> str:
    held = ", ".join(f"{path} (by {owner})" for path, owner in sorted(owners.items()))
    return f"{ref}: somebody else holds {held}."


def _dotted(path: str) -> str:
    """A path as the API server spells it in a conflict."""
    if path.startswith("spec.limits"):
        return ".spec.limits"
    head, bracket, inside = path.partition("[")
    return f".{head}.{inside[:-1]}" if bracket else f".{head}"


def summary(problems: Sequence[Problem]) -> ExternalError | None:
    """One error for a placement: a conflict names all owners; else the first that is final."""
    if not problems:
        return None
    conflicts = [error for _, error in problems if isinstance(error, Conflict) and error.owners]
    if conflicts:
        owners: dict[str, str] = {}
        for conflict in conflicts:
            owners |= conflict.owners
        return Conflict(" ".join(error.message for error in conflicts), owners=owners)
    final = [error for _, error in problems if not error.retryable]
    return final[0] if final else problems[0][1]
