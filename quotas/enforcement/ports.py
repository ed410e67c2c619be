"""What the loop asks of an adapter, and the plain values that pass between them.

compile (pure) → observe (reads) → diff (pure) → apply (writes). Adding a kind of target is one
adapter that meets `Adapter` and one line in `adapters/registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef, Unreadable

Scalar = str | int | bool | None


class Operation(StrEnum):
    """What a change does to its object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """Names one object on a target. `part` names a share of an object that many tenants own
    together, such as one fairness key of a Temporal task queue."""

    kind: str
    namespace: str
    name: str
    part: str = ""

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        part = f"[{self.part}]" if self.part else ""
        return f"{self.kind} {where}{self.name}{part}"


@dataclass(frozen=True, slots=True)
class DesiredObject:
    """What one object should say.

    `fields` maps a path (`spec.hard[requests.cpu]`) to a normalised value: values that mean the
    same compare equal (quantities are integers in base units). `shown` maps a path to the text for
    people where that differs. `manifest` is what the adapter sends. `limits` maps a limit key to
    the path that enforces it. Lower `stage` is applied first.
    """

    ref: ObjectRef
    fields: Mapping[str, Scalar]
    manifest: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that this plane cannot say, and why. It is shown, never written as something else."""

    key: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """The desired state of one placement."""

    objects: tuple[DesiredObject, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """Who last wrote a field: `manager` is its name there, `declarative` is true for another
    controller that would write it again (server-side apply), false for a one-off edit."""

    manager: str
    declarative: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """What one object says now. `fields` has the paths that we own or that the object limits by;
    `owners` names the owner of each path that is not ours. `ours` tells whether it carries our
    label: what does not is never written or deleted. `adopted` was there before us: when it is no
    longer wanted we take our fields back out of it instead of deleting it."""

    ref: ObjectRef
    fields: Mapping[str, Scalar]
    shown: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, Owner] = field(default_factory=dict)
    ours: bool = True
    uid: str = ""
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Use of one limit as the plane itself reports it, in the limit's base units.

    `hard` is the value the plane enforces (None: unlimited), `used` what is used (None: the plane
    cannot tell; `why` says so), `recounted` an independent count where one was made.
    """

    key: str
    hard: int | None
    used: int | None
    recounted: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """The observed state of one placement. `foreign` are objects there that are not ours but
    count in the effective limit (gke-resource-quotas), as plain text for people. `vacant` says that
    nobody is there whom a limit could bind now: nothing is to be written. With `reset` the plane
    itself has dropped what we wrote (a worker began anew): it is written again, and no drift."""

    objects: tuple[ObservedObject, ...] = ()
    usage: tuple[Usage, ...] = ()
    foreign: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    vacant: bool = False
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one look at a target found: by placement id, the calls it took, and objects with
    our label that belong to no placement we know (`orphans`).

    `failures` say why a placement could not be read just now; `errors` are mistakes of ours in
    reading one, which trying again will not mend. `unreadable` is what somebody wrote there that
    could not be read: it stops nothing.
    """

    placements: Mapping[int, Observed]
    reads: int
    orphans: tuple[ObjectRef, ...] = ()
    failures: Mapping[int, str] = field(default_factory=dict)
    errors: Mapping[int, Exception] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one object: texts for people, `owner` where somebody else holds the field."""

    path: str
    before: str
    after: str
    key: str = ""
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One object to create, update or delete. An update to no `desired` state gives back an
    adopted object: our fields go, the object stays."""

    operation: Operation
    ref: ObjectRef
    fields: tuple[FieldChange, ...] = ()
    desired: DesiredObject | None = None
    stage: int = 0
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Altered:
    """An object that the plane stored otherwise than it was sent, by its own answer to the write:
    `stored` is how it is there, and `left` what differs still. `suspects` names what on the plane
    may do that, or who there says what instead, as far as the plane tells."""

    stored: ObservedObject
    left: Change
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacementChanges:
    """The changes of one placement, to be made in order of stage. `force` takes fields over from
    their owners: only after a person (or the heal policy) said so."""

    placement: PlacementRef
    changes: tuple[Change, ...]
    force: bool = False
    reason: str = ""
    identity: str = "headroom"


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """How the work of one placement ended. `error` is None when every change was made; those of
    `altered` were made, and the plane stored something else."""

    placement: PlacementRef
    done: tuple[Change, ...]
    error: Exception | None = None
    calls: int = 0
    seconds: float = 0.0
    altered: tuple[Altered, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """What a probe found. `missing` are permissions we lack, in the plane's own words."""

    latency_ms: float
    version: str
    features: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    credential_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether what observing everything reads is `same` as at an earlier mark, and the mark of now,
    to be brought the next time; None where the plane cannot tell. `reads` is what it took."""

    same: bool
    mark: Any = None
    reads: int = 0


@runtime_checkable
class TellsChanges(Protocol):
    """An adapter that finds out for little whether a target is as it was."""

    def compared(self, *, target: TargetRef, locations: Sequence[str], since: Any) -> Comparison:
        """`locations` are those of all placements, each once; `since` is the mark of an earlier
        call, None for the first. Raises ExternalError as `observe` does."""
        ...


class Adapter(Protocol):
    """One enforcement plane. Only observe, apply and probe talk to it; they raise ExternalError
    when the target as a whole cannot be used, and bound their own time."""

    kind: str
    label: str
    location_label: str
    batch: int
    """Placements settled together: large enough to be quick, small enough to show progress."""

    def compile(
        self, *, limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
    ) -> Compiled:
        """The desired state; pure. No limits, or a leaving placement: nothing of ours is left."""
        ...

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """Looks at the given placements; `everything` lists each kind once for the whole target
        instead of asking per placement."""
        ...

    def apply(
        self,
        *,
        target: TargetRef,
        work: Sequence[PlacementChanges],
        on_result: Callable[[ApplyResult], None],
    ) -> None:
        """Makes the changes, at most `target.concurrency` at a time, reporting each placement as
        it ends. One failing placement never stops another."""
        ...

    def probe(self, *, target: TargetRef, regular: bool = False) -> Health:
        """Reaches out once: latency, version, what the server can do, what we may not do.
        `regular`: as every half minute, so that what costs much may be some minutes old."""
        ...

    def cost(self, *, target: TargetRef, work: Sequence[PlacementChanges]) -> int:
        """How many calls `apply` would make; pure."""
        ...

    def seconds(self, *, calls: int, latency_ms: float, concurrency: int) -> float:
        """How long so many calls take at least, within what the plane accepts; pure."""
        ...

    def options_error(self, options: Mapping[str, Any]) -> str:
        """What is wrong with the options of a target, as a sentence; empty if nothing is; pure."""
        ...

    def prepare(self, *, target: TargetRef) -> int:
        """Installs what the target as a whole needs (search attributes, execution policy).
        Returns the number of writes; doing it again writes nothing."""
        ...

    def validate(
        self, *, location: str, sharing: str, fairness_key: str, target: TargetRef
    ) -> Mapping[str, str]:
        """What is wrong with a placement as entered: field name to message; pure."""
        ...
