"""A test stands where what it tests stands: tests/APP/PATH/test_MODULE.py, test_MODULE_aspect.py.

A package counts as a module: `test_views.py` beside `views/`. Commands are tested in `management/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SUITES: Final = {
    "access": "every page and endpoint, by role, scope of the token and tenant",
    "architecture": "rules about all of the code",
    "bench": "figures, not tests",
    "contract": "one suite over every adapter, on real servers",
    "e2e": "the whole console in a browser",
    "faults": "whole processes, and servers that are stopped",
}
ELSEWHERE: Final = {
    "observability/test_outsiders.py": "every page and endpoint of an app, asked by a stranger",
}


def modules() -> Iterator[Path]:
    """Every module of tests that has a module to stand beside, below tests/."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        below = path.relative_to(ROOT / "tests")
        if below.parts[0] not in SUITES:
            yield below


def mirrored(below: Path) -> bool:
    """Whether the name begins with that of a module or package beside which it stands."""
    home = ROOT / below.parent if below.parent.parts else ROOT / "tests"
    if below.parent.name == "management":
        home /= "commands"
    words = below.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    return any(
        (home / f"{name}.py").exists() or (home / name / "__init__.py").exists() for name in names
    )


def test_every_test_stands_beside_what_it_tests() -> None:
    strays = {str(path) for path in modules() if not mirrored(path)}
    assert strays <= set(ELSEWHERE), "move it, or say in ELSEWHERE what it is about"
    assert set(ELSEWHERE) <= strays, "take it from ELSEWHERE"
