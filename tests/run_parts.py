"""Runs several targets of the Makefile one after the other, whatever becomes of each, and says at
the end which tests failed: `python -m tests.run_parts MAKE TARGET…`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

REPORT: Final = "HEADROOM_TEST_REPORT"
"""The environment variable that names the file in which pytest leaves its result for us."""
INTERRUPTED: Final = 130
_COUNTED: Final = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one part. `counts` is empty where pytest did not reach its end.

    `bad` has the test ids that went wrong, each with the first line of its error.
    """

    name: str
    code: int
    seconds: float
    counts: Mapping[str, int]
    bad: Mapping[str, str]
    interrupted: bool = False

    def line(self) -> str:
        """One line for people: `test-sqlite  failed  12 passed, 1 failed  in 93 s`."""
        counts = ", ".join(f"{number} {word}" for word, number in self.counts.items() if number)
        verdict = "failed" if self.code else "passed"
        result = counts or f"no result, exit code {self.code}"
        return f"{self.name:<14} {verdict}  {result}  in {self.seconds:.0f} s"


def write_report(path: Path, stats: Mapping[str, Sequence[Any]]) -> None:
    """Called by pytest: how many tests had which end, and what went wrong with which."""
    counts = {word: len(stats.get(word, ())) for word in _COUNTED}
    # A test that failed and whose fixtures broke afterwards is told by its failure.
    reports = [report for word in ("error", "failed") for report in stats.get(word, ())]
    bad = {report.nodeid: reason(report) for report in reports}
    path.write_text(json.dumps({"counts": counts, "bad": bad}))


def reason(report: Any) -> str:
    """The place and the first line of what a test failed with: `test_a.py:12: assert 1 == 2`."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:  # a module that cannot be imported has only a text
        lines = str(report.longrepr).strip().splitlines()
        return lines[-1].strip() if lines else ""
    first, *_ = crash.message.splitlines() or [""]
    return f"{Path(crash.path).name}:{crash.lineno}: {first}"


def run_part(make: str, name: str, report: Path) -> Outcome:
    """Run one target; its output is shown as it comes."""
    began, interrupted = time.monotonic(), False
    with subprocess.Popen([make, name], env={**os.environ, REPORT: str(report)}) as part:
        try:
            code = part.wait()
        except KeyboardInterrupt:  # the part has had it as well, and wants to tidy up
            code, interrupted = part.wait() or INTERRUPTED, True
    try:
        result = json.loads(report.read_text())
    except (OSError, ValueError):
        result = {"counts": {}, "bad": {}}
    seconds = time.monotonic() - began
    return Outcome(name, code, seconds, result["counts"], result["bad"], interrupted)


def summary(outcomes: Sequence[Outcome]) -> str:
    """A line for each part, why tests went wrong, and last the names of those that did."""
    bad = [(part.name, test, why) for part in outcomes for test, why in part.bad.items()]
    reasons = [f"{test}\n    {why}" for _, test, why in bad]
    names = [f"FAILED ({part}) {test}" for part, test, _ in bad]
    return "\n".join(["", *(part.line() for part in outcomes), *reasons, *names, ""])


def main(make: str, *names: str) -> int:
    """0 if every part succeeded, else 1. Ctrl-C ends the part that runs, and all of it."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="headroom-parts-") as home:
        for name in names:
            outcomes.append(run_part(make, name, Path(home, name)))
            if outcomes[-1].interrupted:
                break
    sys.stdout.write(summary(outcomes))
    return int(any(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
