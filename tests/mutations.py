"""What others could have written in place of a recording: random structural mutations.

A recording is a value of JSON (or of Python: bytes, tuples and objects stay as they are) as a real
server gave it. `mutants(recordings, fuzz_examples())` gives copies in which one to four things
are different: a key is gone, a value is of another type, huge, deep, no number, no UTF-8, a moment
before everything or after it, an item twice, a list in another order. In some, times are late and
numbers of seconds large at once. The same `seed` gives the same mutants, so that a failure can be
repeated by its number.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

Step = str | int
Path = tuple[Step, ...]

NUMBERS: Final[tuple[Any, ...]] = (
    *(0, -1, 1, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 10**5000),
    *(0.5, -0.0, 1e308, 1e-308, float("nan"), float("inf"), float("-inf")),
)
QUANTITIES: Final[tuple[str, ...]] = (
    *("0", "-1", "010", "1.5", "500m", "1e1000", "1e-1000", "1E30", "9" * 5000, "1e999999999"),
    *("1e-99999999999999999999", "1E+99999999999999999999"),
    *("NaN", "Infinity", "-Infinity", "1e", "10Qi", "--1", "1_000", "0x10", "٣", "²"),
)
TEXTS: Final[tuple[str, ...]] = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\ud800",
        "pay\udfffload",
        "\u202efdp.exe",
        "\ufeff",
        "null",
        "{",
        "[]",
    ),
    *("x" * 300, "x" * 2**18, "\n", "../..", "a" * 64 + "=" * 64, "%s%n{}", "<b>", "𝕳" * 100, ","),
)
MOMENTS: Final[tuple[str, ...]] = (
    *(
        "0001-01-01T00:00:00Z",
        "0000-00-00T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-13-01T00:00:00Z",
    ),
    *("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"),
    *(
        "2026-11-29T12:00:00",
        "2026-11-29",
        "2026-11-29T12:00:00.123456789Z",
        "12:00",
        "20261129T12Z",
    ),
    *("2026-11-29T24:00:00Z", "2026-11-29T12:00:00+99:99", "+10000-01-01T00:00:00Z"),
)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_SHIFTS: Final = (-(10**10), -86400 * 365, -3600, -1, 1, 3600, 86400 * 365 * 30, 10**10)
"""Seconds by which a moment of the recording moves."""
LATE_MOMENTS: Final[tuple[str, ...]] = (
    *("9966-06-01T00:00:00Z", "9990-06-01T00:00:00Z", "9997-06-01T00:00:00Z"),
    "9997-12-31T23:59:59Z",
)
"""Moments that each can be stored; not so what comes long after."""
LONG_SPANS: Final[tuple[int, ...]] = (86400 * 365, 999_999_990, 999_999_999, 2**31 - 1, 2**63 - 1)
_IS_LATE: Final = 0.05
"""How many of the mutants have late times and large numbers of seconds together."""
_DEEP: Final = 2000
_MANY: Final = 3000


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutated copy of `recordings[origin]`; `changes` says in words what was done to it."""

    value: Any
    origin: int
    changes: tuple[str, ...]

    def __str__(self) -> str:
        return f"recording {self.origin}: {'; '.join(self.changes)}"


def mutants(recordings: Sequence[Any], number: int, *, seed: int = 0) -> Iterator[Mutant]:
    """`number` mutants, of each recording in turn; mostly one thing differs in one, up to four."""
    originals = [_Original(recording) for recording in recordings]
    for count in range(number):
        origin = count % len(originals)
        random = Random(f"{seed}:{count}")
        value, changes = originals[origin].copy(), []
        if random.random() < _IS_LATE:
            changes.append(originals[origin].make_late(value, random))
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            value, words = _changed(value, originals[origin], random)
            changes.append(words)
        yield Mutant(value, origin, tuple(changes))


def strange_value(random: Random) -> Any:
    """Any value of JSON that is not what anybody waits for."""
    return random.choice(_KINDS)(random)


class _Original:
    """A recording, quick to copy, with the way to each value in it by depth: each depth is chosen
    as often as another, or the few upper ones would stay as they are."""

    def __init__(self, recording: Any) -> None:
        self._pickled = pickle.dumps(recording)
        self._paths: dict[int, list[Path]] = {}
        for path in paths_of(recording):
            if path:
                self._paths.setdefault(len(path), []).append(path)

    def copy(self) -> Any:
        """One that may be changed."""
        return pickle.loads(self._pickled)  # noqa: S301 - our own

    def make_late(self, copy: Any, random: Random) -> str:
        """Makes about half of the times in a copy late, and all its numbers of seconds large."""
        for path in (path for paths in self._paths.values() for path in paths):
            parent = copy
            for step in path[:-1]:
                parent = parent[step]
            before, name = parent[path[-1]], str(path[-1]).lower()
            if isinstance(before, str) and _MOMENT.match(before):
                parent[path[-1]] = random.choice((before, random.choice(LATE_MOMENTS)))
            elif isinstance(before, int | float) and "seconds" in name:
                parent[path[-1]] = random.choice(LONG_SPANS)
        return "late times and large numbers of seconds"

    def path(self, random: Random) -> Path | None:
        """The way to one of its values; None when there is none."""
        if not self._paths:
            return None
        return random.choice(self._paths[random.choice(list(self._paths))])


def _changed(value: Any, original: _Original, random: Random) -> tuple[Any, str]:
    path = original.path(random)
    if path is None or random.random() < 0.01:
        return strange_value(random), "everything replaced"
    try:
        parent = value
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]]  # is it still there?
    except (KeyError, IndexError, TypeError):
        return value, f"{_in_words(path)} had gone"
    if not isinstance(parent, dict | list):
        return value, f"{_in_words(path)} had gone"
    words = random.choice(_OPERATIONS)(parent, path[-1], random)
    return value, f"{_in_words(path)} {words}"


def paths_of(value: Any) -> list[Path]:
    """The way to each value inside a value, that to itself (empty) first; without recursion."""
    paths: list[Path] = []
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, inside = waiting.pop()
        paths.append(path)
        steps: list[Any] = []
        if isinstance(inside, dict):
            steps = list(inside)
        elif isinstance(inside, list):
            steps = list(range(len(inside)))
        waiting += [((*path, step), inside[step]) for step in steps]
    return paths


def _in_words(path: Path) -> str:
    return ".".join(str(step)[:40].encode("ascii", "backslashreplace").decode() for step in path)


# -- what can be done to one value inside its list or object -------------------------------------


def _delete(parent: Any, step: Step, random: Random) -> str:
    del random, parent[step]
    return "deleted"


def _replace(parent: Any, step: Step, random: Random) -> str:
    parent[step] = strange_value(random)
    return f"replaced by {_brief(parent[step])}"


def _alike(parent: Any, step: Step, random: Random) -> str:
    """Another value of the same type, so that what checks types only is not enough."""
    before = parent[step]
    if isinstance(before, str) and _MOMENT.match(before):
        parent[step] = random.choice((_shifted(before, random), random.choice(MOMENTS)))
    elif isinstance(before, str):
        parent[step] = random.choice(random.choice((TEXTS, QUANTITIES)))
    elif isinstance(before, int | float):
        parent[step] = random.choice((random.choice(NUMBERS), -before, before * 10**12))
    elif isinstance(before, list):
        parent[step] = random.choice(([], [strange_value(random)], before * 2))
    elif isinstance(before, dict):
        parent[step] = random.choice(({}, {"": before}, dict(reversed(before.items()))))
    else:
        parent[step] = strange_value(random)
    return f"becomes {_brief(parent[step])}"


def _wrap(parent: Any, step: Step, random: Random) -> str:
    inside = parent[step]
    parent[step] = [inside] if random.random() < 0.5 else {random.choice(TEXTS[:12]): inside}
    return "wrapped"


def _rename(parent: Any, step: Step, random: Random) -> str:
    if not isinstance(parent, dict):
        return _replace(parent, step, random)
    name = random.choice((*TEXTS, str(step).upper(), f"{step} "))
    parent[name] = parent.pop(step)
    return f"renamed to {_brief(name)}"


def _insert(parent: Any, step: Step, random: Random) -> str:
    if isinstance(parent, dict):
        name = random.choice(TEXTS)
        parent[name] = strange_value(random)
        return f"gets a neighbour {_brief(name)}: {_brief(parent[name])}"
    parent.insert(step, strange_value(random))
    return f"follows {_brief(parent[step])}"


def _duplicate(parent: Any, step: Any, random: Random) -> str:
    if isinstance(parent, list):
        parent.insert(random.randrange(len(parent) + 1), parent[step])
        return "stands twice"
    other = random.choice(list(parent))
    parent[other] = parent[step]
    return f"copied over {_brief(other)}"


def _reorder(parent: Any, step: Step, random: Random) -> str:
    del step
    if isinstance(parent, list):
        random.shuffle(parent)
        return "and its neighbours shuffled"
    names, values = list(parent), list(parent.values())
    random.shuffle(values)
    parent.update(zip(names, values, strict=True))
    return "and its neighbours take each other's names"


_OPERATIONS: Final[tuple[Callable[[Any, Any, Random], str], ...]] = (
    *(_delete, _replace, _replace, _replace, _alike, _alike, _alike),
    *(_wrap, _rename, _insert, _duplicate, _reorder),
)


# -- values that nobody waits for ----------------------------------------------------------------


def _deep_list(random: Random) -> Any:
    value: Any = random.choice((None, "x", {}))
    for _ in range(random.choice((3, 100, 300, _DEEP))):
        value = [value]
    return value


def _deep_object(random: Random) -> Any:
    value: Any = random.choice((None, "x", []))
    for _ in range(random.choice((3, 100, 300, _DEEP))):
        value = {"metadata": value}
    return value


def _many(random: Random) -> Any:
    item: Any = random.choice((None, "x", 0, {}, []))
    if random.random() < 0.5:
        return [item] * _MANY
    return {f"k{number}": item for number in range(_MANY)}


def _shifted(text: str, random: Random) -> str:
    try:
        at = datetime.fromisoformat(text) + timedelta(seconds=random.choice(_SHIFTS))
    except (ValueError, OverflowError):
        return random.choice(MOMENTS)
    return at.isoformat()


_KINDS: Final[tuple[Callable[[Random], Any], ...]] = (
    lambda random: random.choice((None, True, False)),
    lambda random: random.choice(NUMBERS),
    lambda random: random.choice(QUANTITIES),
    lambda random: random.choice(TEXTS),
    lambda random: random.choice(MOMENTS),
    lambda random: random.choice(([], {}, [[]], [{}], {"": None}, ["oops"], {"x": 1}, [None, 1])),
    lambda random: {"name": strange_value(random), "metadata": strange_value(random)},
    _deep_list,
    _deep_object,
    _many,
)


def _brief(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**40:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)[:40].encode("ascii", "backslashreplace").decode()
