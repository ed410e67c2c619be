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
    """What became of one part. `counts` is empty where pytest did not reach its end."""

    name: str
    code: int
    seconds: float
    counts: Mapping[str, int]
    bad: Sequence[str]
    interrupted: bool = False

    def line(self) -> str:
        """One line for people: `test-sqlite  failed  12 passed, 1 failed  in 93 s`."""
        counts = ", ".join(f"{number} {word}" for word, number in self.counts.items() if number)
        verdict = "failed" if self.code else "passed"
        said = counts or f"no result, exit code {self.code}"
        return f"{self.name:<14} {verdict}  {said}  in {self.seconds:.0f} s"


def write_report(path: Path, stats: Mapping[str, Sequence[Any]]) -> None:
    """Called by pytest: how many tests had which end, and the ids of those that went wrong."""
    counts = {word: len(stats.get(word, ())) for word in _COUNTED}
    bad = [report.nodeid for word in ("error", "failed") for report in stats.get(word, ())]
    path.write_text(json.dumps({"counts": counts, "bad": list(dict.fromkeys(bad))}))


def run_part(make: str, name: str, report: Path) -> Outcome:
    """Run one target; its output is shown as it comes."""
    began, interrupted = time.monotonic(), False
    with subprocess.Popen([make, name], env={**os.environ, REPORT: str(report)}) as part:
        try:
            code = part.wait()
        except KeyboardInterrupt:  # the part has had it as well, and wants to tidy up
            code, interrupted = part.wait() or INTERRUPTED, True
    try:
        said = json.loads(report.read_text())
    except (OSError, ValueError):
        said = {"counts": {}, "bad": []}
    seconds = time.monotonic() - began
    return Outcome(name, code, seconds, said["counts"], said["bad"], interrupted)


def summary(outcomes: Sequence[Outcome]) -> str:
    """A line for each part, then each test that went wrong, by its part."""
    bad = [f"FAILED ({each.name}) {test}" for each in outcomes for test in each.bad]
    return "\n".join(["", *(each.line() for each in outcomes), *bad, ""])


def main(make: str, *names: str) -> int:
    """0 if every part succeeded, else 1. Ctrl-C ends the part that runs, and all of it."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="headroom-parts-") as home:
        for name in names:
            outcomes.append(run_part(make, name, Path(home, name)))
            if outcomes[-1].interrupted:
                break
    sys.stdout.write(summary(outcomes))
    return int(any(each.code for each in outcomes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
