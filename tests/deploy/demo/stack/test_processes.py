"""What a process group is seen to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.stack.part import Part
from deploy.demo.stack.processes import Running, activity_of, memory_by_group, processor_by_group
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

WORKS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
child.wait()
"""
HANGS = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[dict[str, Running]]:
    """A part that works, in a child of its own, and one that hangs."""
    started = {
        name: Running(Part(name=name, argv=(sys.executable, "-c", code), log=tmp_path / name))
        for name, code in (("works", WORKS), ("hangs", HANGS))
    }
    yield started
    for each in started.values():
        each.kill()


def test_work_of_its_children_is_its_own_and_one_that_sleeps_does_none(
    running: dict[str, Running],
) -> None:
    works, hangs = running["works"], running["hangs"]
    until(lambda: hangs.part.log.stat().st_size == 3)
    before = activity_of(hangs.pid, hangs.part.log)
    # clock: processor time, not the clock's
    until(lambda: activity_of(works.pid, works.part.log).processor > 1.0)
    after = activity_of(hangs.pid, hangs.part.log)
    assert (after.processor, after.log) == (before.processor, 3)
    groups = processor_by_group([works.pid, hangs.pid])
    assert groups[works.pid] > 1.0 > groups[hangs.pid]


def test_a_group_that_is_gone_has_done_nothing(running: dict[str, Running], tmp_path: Path) -> None:
    gone = running["hangs"]
    gone.kill()
    assert activity_of(gone.pid, tmp_path / "no-log").processor == 0.0


def test_memory_of_a_process_that_is_closed_to_its_user_is_still_known(
    running: dict[str, Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is read where we are not root: /proc/PID/smaps_rollup is refused then."""
    read = Path.read_text

    def refused(path: Path, *arguments: str, **options: str) -> str:
        if path.name == "smaps_rollup":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refused)
    pid = running["hangs"].pid
    # One that has only just begun has next to none yet.
    until(lambda: memory_by_group([pid])[pid] > 1_000_000, "its memory is not known")
