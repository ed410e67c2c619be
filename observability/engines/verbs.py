"""What can be done to a run: the shape of a verb, what is asked, what comes of it, and whether a
verb fits a run now. Each engine has its verbs in a file of this name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from observability.engines.contracts import OPEN, STATUS_LABELS, Engine, Status


class FieldKind(StrEnum):
    """How an argument is asked for and checked."""

    TEXT = "text"
    NUMBER = "number"
    DECIMAL = "decimal"
    JSON = "json"
    FLAG = "flag"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a verb. `needed_with` names a choice that this one belongs to, as
    `("point", "event")`; `least` and `most` bound numbers, `most` the bytes of a text."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    default: Any = None
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    least: float | None = None
    most: float | None = None
    needed_with: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that can be done to a run of one engine.

    `effect` says in words what will happen, one sentence a line; `statuses` are those of a run that
    it fits. `destructive` verbs ask to type the run's id. `in_batch` ones can be done to many runs,
    `by_query` ones also by the engine's own batches. `needs` names an option of the target without
    which it is not possible, and `needs_why` says why in words that come before a colon.
    """

    engine: Engine
    name: str
    label: str
    effect: tuple[str, ...]
    statuses: frozenset[Status]
    arguments: tuple[Argument, ...] = ()
    destructive: bool = False
    in_batch: bool = True
    by_query: bool = False
    needs: str = ""
    needs_why: str = ""


@dataclass(frozen=True, slots=True)
class Availability:
    """A verb and why it cannot be done to a run now; `why_not` is empty when it can. `hidden` ones
    can never be done there, so that offering them would only be noise."""

    verb: Verb
    why_not: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a Celery task was called, as far as its events told: Python literals as text."""

    task: str = ""
    args: str = ""
    kwargs: str = ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What verbs need to know of a run. `tenant` is the slug where its starter declared it.
    `recorded` is for engines whose runs are repeated from what their events told; `steps` are the
    open steps (activities) by id and name; `overwritten` says that the engine's own object is a
    later attempt by now, so that whatever is done would be done to that."""

    id: int
    engine: Engine
    key: str
    external_id: str
    run_id: str
    location: str
    type: str
    status: Status
    queue: str = ""
    tenant: str = ""
    recorded: Recorded | None = None
    steps: tuple[tuple[str, str], ...] = ()
    overwritten: bool = False


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """What somebody wants done. `id` is the same for every repetition of it; `operator` is the
    user's name and `email` an address where one is known."""

    id: str
    verb: str
    arguments: Mapping[str, Any]
    reason: str
    operator: str
    email: str = ""

    @property
    def identity(self) -> str:
        """How engines are told who does it."""
        return f"headroom:{self.operator}"

    @property
    def stated(self) -> str:
        """The reason with the operator's name in it, since engines lose the identity at times."""
        return f"{self.reason} (by {self.operator} through Headroom)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said: a sentence, and values to keep (JSON)."""

    message: str
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFound:
    """A run that a query of the engine's own finds; `tenant` is a slug, "" for nobody's."""

    external_id: str
    run_id: str
    type: str
    is_open: bool
    status: str
    tenant: str


def by_status(
    verbs: Sequence[Verb], run: RunFacts, options: Mapping[str, Any]
) -> list[Availability]:
    """An engine's verbs, judged by the run's status and the target's options."""
    return [_judged(verb, run, options) for verb in verbs]


def why_not(verb: Verb, status: Status) -> str:
    """Why a run's status forbids the verb; empty when it does not."""
    if status in verb.statuses:
        return ""
    label = STATUS_LABELS[status].lower()
    if status not in OPEN and verb.statuses <= OPEN:
        return f"The run has ended: {label}."
    if status in OPEN and not verb.statuses & OPEN:
        return f"The run has not ended yet: {label}."
    return f"The run is {label}."


def find(offered: Sequence[Availability], name: str) -> Availability | None:
    """The verb of that name among those offered."""
    return next((availability for availability in offered if availability.verb.name == name), None)


def _judged(verb: Verb, run: RunFacts, options: Mapping[str, Any]) -> Availability:
    if verb.needs and not options.get(verb.needs):
        return Availability(
            verb,
            f"{verb.needs_why}: set the option {verb.needs} of the target.",
            hidden=True,
        )
    return Availability(verb, why_not(verb, run.status))
