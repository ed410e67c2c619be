"""What came of the faults of bench-faults: as a row of a table, and as figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.bench.fault_kinds import FaultKind
from tests.bench.figures import Figure

NOTICED_SECONDS: Final = 5.0
"""A fault that was over sooner may have touched nobody: then there is nothing to tell."""


@dataclass(slots=True)
class Outcome:
    """What came of one fault; seconds are since it began, None: it did not come about. `page` is
    the first line that tells of it (`tells`); where none did, what the overview said instead."""

    kind: FaultKind
    healed: float | None = None
    rollout: float | None = None
    said_after: float | None = None
    page: str = ""
    tells: bool = False
    answers: str = ""
    change: str = ""
    refused: bool = False
    answered_after: float = 0.0
    lost: int = 0
    doubled: int = 0
    missing: int = 0


def _seconds(value: float | None) -> str:
    return "no" if value is None else f"{value:.1f} s"


def _row(outcome: Outcome) -> tuple[str, ...]:
    return (
        outcome.kind.name,
        _seconds(outcome.healed) + ("" if outcome.kind.heals else " (by design)"),
        _seconds(outcome.rollout),
        f"{_seconds(outcome.said_after)}, {outcome.page}" if outcome.tells else outcome.page,
        f"{outcome.lost} / {outcome.doubled}; tasks missing {outcome.missing}",
        outcome.change,
        outcome.answers,
    )


def summary(outcome: Outcome) -> str:
    """One line."""
    return " | ".join(_row(outcome))


def matrix(outcomes: list[Outcome]) -> str:
    """All of them as a table."""
    heads = (
        "fault", "heals alone", "rollout done", "what the page said", "lost / doubled",
        "a change meanwhile", "pages",
    )  # fmt: skip
    rows = [heads, tuple("-" * 3 for _ in heads), *map(_row, outcomes)]
    return "\n" + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def figures(outcome: Outcome, tenants: int) -> list[Figure]:
    """Of one fault."""
    name = re.sub(r"[^a-z0-9]+", "_", outcome.kind.name.lower()).strip("_")
    made = [
        Figure(
            "faults", f"{name}_lost", outcome.lost + outcome.missing, "objects", note=outcome.change
        ),
        Figure("faults", f"{name}_doubled", outcome.doubled, "rows", note=outcome.answers),
    ]
    for label, value, note in (
        ("heals", outcome.healed, ""),
        ("rollout", outcome.rollout, f"{tenants} tenants"),
        ("said", outcome.said_after, outcome.page),
    ):
        if value is not None:
            made.append(Figure("faults", f"{name}_{label}", value, "s", note=note))
    return made


def _is_short(outcome: Outcome) -> bool:
    return outcome.healed is not None and outcome.healed < NOTICED_SECONDS


def silent(outcomes: list[Outcome]) -> Figure:
    """How many faults no page had a word about, though somebody had the time to notice them."""
    names = [
        outcome.kind.name
        for outcome in outcomes
        if not outcome.tells and outcome.kind.name != "none" and not _is_short(outcome)
    ]
    return Figure(
        "faults", "silent", len(names), "faults", "the promise", 0.0, None, ", ".join(names)
    )
