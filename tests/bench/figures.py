"""A figure, the table that people read, and the JSON lines that programs read."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "bench-results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number beside a peer's. `ratio` above 1 means that ours is better; None: no peer."""

    bench: str
    metric: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    note: str = ""


def less_is_better(
    bench: str, metric: str, value: float, unit: str, peer: str, peer_value: float, note: str = ""
) -> Figure:
    """Of times and counts. Nothing at all is as good as a peer's nothing, better than any more."""
    nothing = 1.0 if peer_value == 0 else None
    ratio = peer_value / value if value else nothing
    return Figure(bench, metric, value, unit, peer, peer_value, ratio, note)


def more_is_better(
    bench: str, metric: str, value: float, unit: str, peer: str, peer_value: float, note: str = ""
) -> Figure:
    """Of rates."""
    ratio = value / peer_value if peer_value else None
    return Figure(bench, metric, value, unit, peer, peer_value, ratio, note)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def show(bench: str, figures: Sequence[Figure]) -> None:
    """Prints the table, then one JSON line per figure; the lines also go to bench-results/."""
    rows: list[tuple[str, ...]] = [("figure", "ours", "peer", "peer's", "ratio", "")]
    rows += [_row(figure) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    sys.stdout.write("\n")
    for number, row in enumerate(rows):
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
        if number == 0:
            sys.stdout.write("  ".join("-" * width for width in widths).rstrip() + "\n")
    sys.stdout.write("\n")
    lines = [json.dumps(_rounded(figure), ensure_ascii=False) + "\n" for figure in figures]
    sys.stdout.writelines(lines)
    sys.stdout.flush()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{bench}.jsonl").write_text("".join(lines), encoding="utf-8")


def progress(text: str) -> None:
    """What is going on, for whoever waits; not part of the result."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


Bench = Callable[[Path], list[Figure]]


def _row(figure: Figure) -> tuple[str, ...]:
    peer = "" if figure.peer_value is None else f"{_text(figure.peer_value)} {figure.unit}"
    return (
        f"{figure.bench}/{figure.metric}",
        f"{_text(figure.value)} {figure.unit}",
        figure.peer,
        peer,
        "" if figure.ratio is None else f"{figure.ratio:.2f}×",
        figure.note,
    )


def _text(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"


def _rounded(figure: Figure) -> dict[str, object]:
    content = asdict(figure)
    if not figure.note:
        del content["note"]
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in content.items()
    }
