"""Bundles that behave badly towards the process that replays them: it is never held up by one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent

from console.clients.temporal.replay.runner import Bounds, Bundle, ReplayProcess, Verdict
from console.errors import Refused

_GOOD = """
from temporalio import workflow

@workflow.defn
class Fine:
    @workflow.run
    async def run(self) -> None:
        return None
"""
Write = Callable[[str], ReplayProcess]


@pytest.fixture
def bundle(tmp_path: Path) -> Write:
    """A process for a module of that text."""

    def write(code: str, seconds: float = 2) -> ReplayProcess:
        (tmp_path / "flows.py").write_text(code)
        bounds = Bounds(seconds=seconds, start_seconds=12)
        return ReplayProcess(Bundle(("flows",), (str(tmp_path),)), bounds)

    return write


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def large_document() -> bytes:
    """More than a pipe takes at once; no history."""
    event = HistoryEvent(event_id=1, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    event.workflow_execution_signaled_event_attributes.signal_name = "x" * 4_000_000
    return History(events=[event]).SerializeToString()


def test_what_a_bundle_has_started_ends_with_it(bundle: Write, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = f"""
import os, subprocess, sys
try:
    os.setsid()
except PermissionError:
    pass
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if os.fork() == 0:
    try:
        os.setpgid(0, 0)
    except PermissionError:
        pass
    open({str(told)!r}, "w").write(f"{{started.pid}} {{os.getpid()}}")
    import time
    time.sleep(600)
"""
    begun = time.monotonic()
    with bundle(code + _GOOD) as process:
        process.start()
        pids: list[int] = []
        while len(pids) < 2 and time.monotonic() - begun < 10:
            pids = [int(pid) for pid in told.read_text().split()] if told.exists() else []
        assert [is_running(pid) for pid in pids] == [True, True]
        closing = time.monotonic()
    assert time.monotonic() - closing < 3
    deadline = time.monotonic() + 5
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        os.sched_yield()
    assert not any(map(is_running, pids))


def test_a_bundle_that_closes_its_pipes_and_goes_on_is_killed_in_time(bundle: Write) -> None:
    begun = time.monotonic()
    code = "import os, time; os.closerange(0, 200); time.sleep(600)"
    with bundle(code) as process, pytest.raises(Refused, match="longer than 12 s"):
        process.start()
    assert time.monotonic() - begun < 25


def test_a_bundle_that_stands_still_is_killed_while_it_is_handed_a_history(bundle: Write) -> None:
    code = """
import os, signal, threading
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGSTOP)).start()
"""
    with bundle(code + _GOOD) as process:
        process.start()
        outcome = process.replay("a", large_document())
        while outcome.verdict is Verdict.MALFORMED:  # it did not stand still yet
            outcome = process.replay("a", large_document())
    assert outcome.verdict is Verdict.TIMED_OUT


@pytest.mark.parametrize("said", ["nonsense", "[]", "{}", '{"verdict": "splendid", "ms": 1}'])
def test_a_bundle_that_answers_with_nonsense_has_crashed(bundle: Write, said: str) -> None:
    code = f"""
import os
for number in range(3, 200):
    try:
        if os.path.basename(os.readlink(f"/proc/self/fd/{{number}}")).startswith("pipe:"):
            os.write(number, {said!r}.encode() + b"\\n")
    except OSError:
        pass
"""
    with bundle(code + _GOOD) as process, pytest.raises(Refused, match="no answer"):
        process.start()


def test_a_bundle_that_prints_without_end_does_not_fill_us(bundle: Write) -> None:
    code = """
import sys
for _ in range(200):
    print("out" * 10_000)
    print("err" * 10_000, file=sys.stderr)
raise RuntimeError("x" * 5_000_000)
"""
    with bundle(code + _GOOD) as process, pytest.raises(Refused) as refused:
        process.start()
    assert len(refused.value.message) < 3000


def test_files_that_a_bundle_writes_where_it_stands_go_with_it(
    bundle: Write, tmp_path: Path
) -> None:
    told = tmp_path / "place"
    code = f"""
import os
open("left-behind", "w").write("x")
open({str(told)!r}, "w").write(os.getcwd())
"""
    with bundle(code + _GOOD) as process:
        process.start()
        home = Path(told.read_text())
        assert (home / "left-behind").exists()
    assert not home.exists()
