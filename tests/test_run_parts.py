"""`make test`: every part runs, and what failed is said last."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import run_parts

MAKE = """#!/bin/sh
echo "ran $1"
case $1 in
  good) echo '{"counts": {"passed": 12, "failed": 0}, "bad": []}' >"$HEADROOM_TEST_REPORT" ;;
  bad)
    echo '{"counts": {"passed": 3, "failed": 1}, "bad": ["tests/test_a.py::test_it[x]"]}' \\
      >"$HEADROOM_TEST_REPORT"
    exit 1 ;;
  *) exit 4 ;;
esac
"""


@pytest.fixture
def make(tmp_path: Path) -> str:
    """A program that behaves as make does with three kinds of targets."""
    path = tmp_path / "make"
    path.write_text(MAKE)
    path.chmod(0o755)
    return str(path)


def test_a_part_that_fails_keeps_no_other_from_running_and_its_tests_are_named_last(
    make: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_parts.main(make, "bad", "gone", "good") == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[:3] == ["ran bad", "ran gone", "ran good"]
    assert [line.partition("  in ")[0] for line in lines[4:7]] == [
        "bad            failed  3 passed, 1 failed",
        "gone           failed  no result, exit code 4",
        "good           passed  12 passed",
    ]
    assert lines[7:] == ["FAILED (bad) tests/test_a.py::test_it[x]"]


def test_when_every_part_succeeds_so_does_the_whole(
    make: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_parts.main(make, "good", "good") == 0
    assert "FAILED" not in capfd.readouterr().out


def test_pytest_leaves_its_result_where_it_is_told(tmp_path: Path) -> None:
    torn: list[object] = [
        SimpleNamespace(nodeid="a.py::both"),
        SimpleNamespace(nodeid="a.py::down"),
    ]
    stats: dict[str, list[object]] = {
        "passed": [object()] * 3,
        "failed": torn[:1],
        "error": torn,
        "warnings": [object()],
    }
    run_parts.write_report(tmp_path / "report", stats)
    assert json.loads((tmp_path / "report").read_text()) == {
        "counts": {"passed": 3, "failed": 1, "error": 2, "skipped": 0, "xfailed": 0, "xpassed": 0},
        "bad": ["a.py::both", "a.py::down"],
    }
