"""Completion indexes of a Job, as its status writes them: `0,2,4-7`. Pure."""

from __future__ import annotations

import re
from typing import Final

from console.unstructured import whole
from observability.engines.kubernetes.objects import spec_of, status_of
from observability.engines.unstructured import Object, annotations_of, labels_of, text

INDEX: Final = "batch.kubernetes.io/job-completion-index"
FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
"""How often an index had failed before a pod of it, where the Job counts that."""
_LONGEST: Final = 2_000_000
"""Letters of a list that are read: more than an API server stores of a whole object."""
_RANGE: Final = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_MOST_SHOWN: Final = 8


def completion_index(pod: Object) -> int | None:
    """The index that a pod works on; None for a Job without them."""
    return whole(annotations_of(pod).get(INDEX) or labels_of(pod).get(INDEX))


def index_list(listed: object, longest: int) -> str:
    """A list of indexes as its Job has it, in at most `longest` letters; one that is cut ends in
    `,…`."""
    whole_list = text(listed, _LONGEST)
    if len(whole_list) <= longest:
        return whole_list
    return f"{whole_list[: longest - 1].rpartition(',')[0]},…"


def succeeded_count(job: Object) -> int:
    """How many pods of a Job succeeded (of an Indexed one: how many indexes), by its own count and
    never more than it wants."""
    succeeded = max(whole(status_of(job).get("succeeded")) or 0, 0)
    completions = whole(spec_of(job).get("completions"))
    return succeeded if completions is None else min(succeeded, max(completions, 0))


Ranges = tuple[tuple[int, int], ...]


def index_ranges(listed: object, *, below: int | None = None) -> Ranges:
    """First and last of each stretch of indexes, in order; what is no index is left out, and what
    is not `below` the number of completions."""
    pairs = []
    for part in text(listed, _LONGEST).split(","):
        if match := _RANGE.fullmatch(part.strip()):
            first, last = int(match[1]), int(match[2] or match[1])
            last = last if below is None else min(last, below - 1)
            if first <= last:
                pairs.append((first, last))
    joined: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def count_of(ranges: Ranges) -> int:
    """How many indexes there are in them."""
    return sum(last - first + 1 for first, last in ranges)


def index_words(ranges: Ranges) -> str:
    """`index 4`, or `indexes 0, 2–3`; of very many the first."""
    shown = [f"{first}–{last}" if last > first else str(first) for first, last in ranges]
    rest = count_of(ranges[_MOST_SHOWN:])
    more = f" and {rest:,} more" if rest else ""
    noun = "index" if count_of(ranges) == 1 else "indexes"
    return f"{noun} {', '.join(shown[:_MOST_SHOWN])}{more}"
