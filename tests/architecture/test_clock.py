"""No verdict of a test hangs on a second of wall-clock time.

Waiting is `tests.waiting.until`; what hangs on purpose gets `HANGS`, what must come back in bounded
time is held to `PATIENCE`. A number of seconds below that, and a sleep, need a reason beside them:
`# clock: it never answers`.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
REASON: Final = "# clock: "
LEAST: Final = 60.0
SLEEPERS: Final = {"time", "asyncio"}
CLOCKS: Final = {"monotonic", "perf_counter", "process_time", "time"}
BUDGETS: Final = {"timeout", "seconds", "within", "wait", "deadline", "patience"}
WAITING: Final = {"wait", "join", "result", "wait_for"}
# Programs and workflows that tests run, benches, and where waiting itself is written.
LEFT_OUT: Final = ("tests/bench/", "tests/waiting.py", "bundles/")
NO_BUDGETS: Final = {"timedelta", "Duration"}
"""Calls whose `seconds` are a length of time and nobody's limit."""


def sources() -> Iterator[Path]:
    """Every module of the tests that the rule is for, wherever it lies."""
    paths = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "deploy").glob("**/tests/*.py")]
    for path in sorted(paths):
        if not any(part in f"{path.relative_to(ROOT)}" for part in LEFT_OUT):
            yield path


def excused(source: str) -> set[int]:
    """The lines that a reason covers: its own and the one after it."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.string.startswith(REASON):
            lines |= {token.start[0], token.start[0] + 1}
    return lines


def called(node: ast.Call) -> str:
    """The last part of what is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def short(node: ast.expr) -> bool:
    """Whether it is a number of seconds that a busy machine may well need."""
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
        and 0 < node.value < LEAST
    )


def sleeps(node: ast.Call) -> bool:
    """time.sleep, asyncio.sleep."""
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in SLEEPERS
    )


def budgets(node: ast.Call) -> bool:
    """A short limit by name, or the only argument of something that waits."""
    named = [word for word in node.keywords if word.arg and is_budget(word.arg)]
    if called(node) not in NO_BUDGETS and any(short(word.value) for word in named):
        return True
    runs = called(node) == "run" and ast.unparse(node.func) == "bridge.run"
    return (runs or called(node) in WAITING) and any(short(argument) for argument in node.args)


def is_budget(name: str) -> bool:
    """Whether a parameter of that name says how long something may take."""
    return name in BUDGETS or name.endswith(("_timeout", "_seconds"))


def compares(node: ast.Compare) -> bool:
    """`clock() - begun < 5`: less time than a busy machine may need."""
    sides = [node.left, *node.comparators]
    reads = any(
        isinstance(part, ast.Call) and called(part) in CLOCKS
        for side in sides
        for part in ast.walk(side)
    )
    less = any(isinstance(sign, ast.Lt | ast.LtE) for sign in node.ops)
    return reads and less and short(sides[-1])


def suspects(source: str) -> Iterator[ast.expr]:
    """What may need a reason."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call() if sleeps(node) or budgets(node):
                yield node
            case ast.Compare() if compares(node):
                yield node


def found(source: str) -> list[int]:
    """The lines without a reason."""
    wrong = list(suspects(source))
    covered = excused(source) if wrong else set()
    return [
        node.lineno
        for node in wrong
        if covered.isdisjoint(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    ]


def test_no_test_depends_on_a_second_of_wall_clock_time() -> None:
    lines = [
        f"{path.relative_to(ROOT)}:{line}" for path in sources() for line in found(path.read_text())
    ]
    assert lines == [], "wait with tests.waiting, or say why: # clock: …"


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(1)",
        "await asyncio.sleep(0.1)",
        "call(timeout=2.0)",
        "call(start_timeout=2.0)",
        "thread.join(10)",
        "event.wait(5)",
        "future.result(30)",
        "bridge.run(work, 0.2)",
        "assert time.monotonic() - begun < 15",
        "assert 1 < time.monotonic() - begun < 15",
    ],
)
def test_short_budgets_and_sleeps_are_found(line: str) -> None:
    source = f"async def one():\n    {line}"
    assert found(source) == [2]
    assert found(f"{source}  {REASON}of nobody") == []


@pytest.mark.parametrize(
    "line",
    [
        "call(timeout=PATIENCE)",
        "assert time.monotonic() - begun >= 0.5",
        "assert time.monotonic() - begun < PATIENCE",
        "timedelta(seconds=5)",
        "thread.join()",
        '", ".join(names)',
    ],
)
def test_what_waits_long_or_for_a_thing_is_not(line: str) -> None:
    assert found(line) == []
