"""Whether a verb fits a run now, and why not otherwise. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from observability.actions.contracts import Possible, RunFacts, Verb
from observability.actions.rules.catalogue import verbs_of
from observability.jobs.contracts import OPEN, STATUS_LABELS, Status


def by_status(run: RunFacts, options: Mapping[str, Any]) -> list[Possible]:
    """Every verb of the run's engine, judged by the run's status and the target's options."""
    return [_judged(verb, run, options) for verb in verbs_of(run.engine)]


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


def find(offered: Sequence[Possible], name: str) -> Possible | None:
    """The verb of that name among those offered."""
    return next((each for each in offered if each.verb.name == name), None)


def _judged(verb: Verb, run: RunFacts, options: Mapping[str, Any]) -> Possible:
    if verb.needs and not options.get(verb.needs):
        return Possible(
            verb,
            f"Only the Argo server does this: set the option {verb.needs} of the target.",
            hidden=True,
        )
    return Possible(verb, why_not(verb, run.status))
