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
  good) echo '{"counts": {"passed": 12, "failed": 0}, "bad": {}}' >"$HEADROOM_TEST_REPORT" ;;
  bad)
    cat >"$HEADROOM_TEST_REPORT" <<REPORT
{"counts": {"passed": 3, "failed": 1}, "bad": {"tests/test_a.py::test_it[x]": "1 == 2"}}
REPORT
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
    assert lines[7:] == [
        "tests/test_a.py::test_it[x]",
        "    1 == 2",
        "FAILED (bad) tests/test_a.py::test_it[x]",
    ]


def test_when_every_part_succeeds_so_does_the_whole(
    make: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_parts.main(make, "good", "good") == 0
    assert "FAILED" not in capfd.readouterr().out


def report_of(nodeid: str, problem: str) -> SimpleNamespace:
    """A report as pytest makes it for a test that raised `problem` in line 12 of a.py."""
    crash = SimpleNamespace(path="/somewhere/a.py", lineno=12, message=f"{problem}\nand more")
    return SimpleNamespace(nodeid=nodeid, longrepr=SimpleNamespace(reprcrash=crash))


def test_pytest_leaves_its_result_where_it_is_told(tmp_path: Path) -> None:
    stats: dict[str, list[object]] = {
        "passed": [object()] * 3,
        "failed": [report_of("a.py::both", "assert 1 == 2")],
        "error": [
            report_of("a.py::both", "the server did not stop"),
            report_of("a.py::down", "no server"),
            SimpleNamespace(nodeid="b.py", longrepr="Traceback\nImportError: no such thing\n"),
        ],
        "warnings": [object()],
    }
    run_parts.write_report(tmp_path / "report", stats)
    assert json.loads((tmp_path / "report").read_text()) == {
        "counts": {"passed": 3, "failed": 1, "error": 3, "skipped": 0, "xfailed": 0, "xpassed": 0},
        "bad": {
            "a.py::both": "a.py:12: assert 1 == 2",
            "a.py::down": "a.py:12: no server",
            "b.py": "ImportError: no such thing",
        },
    }
