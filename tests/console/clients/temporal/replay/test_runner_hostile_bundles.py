"""Bundles that behave badly towards the process that replays them: it is never held up by one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent

from console.clients.temporal.replay.child_process import ChildProcess
from console.clients.temporal.replay.runner import Bounds, Bundle, ReplayProcess, ReplayVerdict
from console.errors import Refused
from tests.waiting import PATIENCE

_GOOD = """
from temporalio import workflow

@workflow.defn
class Fine:
    @workflow.run
    async def run(self) -> None:
        return None
"""
Write = Callable[..., ReplayProcess]


@pytest.fixture
def bundle(tmp_path: Path) -> Write:
    """A process for a module of that text."""

    def write(
        code: str, seconds: float = PATIENCE, start_seconds: float = PATIENCE
    ) -> ReplayProcess:
        (tmp_path / "flows.py").write_text(code)
        bounds = Bounds(seconds=seconds, start_seconds=start_seconds)
        return ReplayProcess(Bundle(("flows",), (str(tmp_path),)), bounds)

    return write


def large_document() -> bytes:
    """More than a pipe takes at once; no history."""
    event = HistoryEvent(event_id=1, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    event.workflow_execution_signaled_event_attributes.signal_name = "x" * 4_000_000
    return History(events=[event]).SerializeToString()


@pytest.mark.parametrize(
    "attempt",
    [
        "os.fork()",
        "os.posix_spawn(sys.executable, [sys.executable, '-c', ''], {})",
        "subprocess.Popen([sys.executable, '-c', ''])",
        "os.setsid()",
        "os.setpgid(0, 0)",
    ],
)
def test_a_bundle_starts_no_process_and_stays_in_its_group(bundle: Write, attempt: str) -> None:
    with (
        bundle(f"import os, subprocess, sys\n{attempt}\n{_GOOD}") as process,
        pytest.raises(Refused, match="PermissionError") as refused,
    ):
        process.start()
    assert "Operation not permitted" in refused.value.message


def test_a_bundle_may_have_threads(bundle: Write) -> None:
    code = """
import threading
done = []
thread = threading.Thread(target=done.append, args=(1,))
thread.start()
thread.join()
assert done == [1]
"""
    with bundle(code + _GOOD) as process:
        assert process.start().isolated


def test_a_bundle_cannot_fill_the_disk_with_one_file(bundle: Write) -> None:
    code = "import os; os.truncate(os.open('large', os.O_CREAT | os.O_WRONLY), 1 << 30)"
    with bundle(code + _GOOD) as process, pytest.raises(Refused, match="File too large"):
        process.start()


def test_two_workflows_of_one_name_are_told_when_the_bundle_is_imported(bundle: Write) -> None:
    twin = _GOOD.replace("@workflow.defn", '@workflow.defn(name="Fine")')
    with (
        bundle(_GOOD + twin.replace("class Fine", "class Twin")) as process,
        pytest.raises(Refused, match="two workflows are called Fine") as refused,
    ):
        process.start()
    assert "flows.Fine and flows.Twin" in refused.value.message


def test_what_a_bundle_says_can_be_stored_whatever_is_in_it(bundle: Write) -> None:
    named = _GOOD.replace("@workflow.defn", '@workflow.defn(name="\\ud800\\0x")')
    with bundle(named) as process:
        assert process.start().workflows == ("?\ufffdx",)
    with (
        bundle('raise RuntimeError("\\ud800\\0")') as process,
        pytest.raises(Refused, match="RuntimeError: \\?\ufffd"),
    ):
        process.start()


def test_a_bundle_that_closes_its_pipes_and_goes_on_is_killed_in_time(bundle: Write) -> None:
    begun = time.monotonic()
    code = "import os, time; os.closerange(0, os.sysconf('SC_OPEN_MAX')); time.sleep(600)"
    with (
        bundle(code, start_seconds=3) as process,  # clock: it never answers
        pytest.raises(Refused, match="longer than 3 s"),
    ):
        process.start()
    assert time.monotonic() - begun < PATIENCE


def test_a_bundle_that_stands_still_is_killed_while_it_is_handed_a_history(
    bundle: Write, tmp_path: Path
) -> None:
    code = f"""
import os, signal, threading, time
def stop():
    while not os.path.exists({str(tmp_path / "stand-still")!r}):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGSTOP)
threading.Thread(target=stop, daemon=True).start()
"""
    with bundle(code + _GOOD, seconds=2) as process:  # clock: it never answers
        process.start()
        (tmp_path / "stand-still").touch()
        outcome = process.replay("a", large_document())
        while outcome.verdict is ReplayVerdict.MALFORMED:  # it did not stand still yet
            outcome = process.replay("a", large_document())
    assert outcome.verdict is ReplayVerdict.TIMED_OUT


def writing(line: str) -> str:
    """Code that writes a line to every pipe that it finds, whatever their numbers are."""
    return f"""
import os, stat
for number in range(3, 256):
    try:
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            os.write(number, {line!r}.encode() + b"\\n")
    except OSError:
        pass
"""


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", "{}", '{"verdict": "splendid", "ms": 1}', '{"workflows": 7}']
)
def test_a_bundle_that_answers_with_nonsense_has_crashed(bundle: Write, line: str) -> None:
    with bundle(writing(line) + _GOOD) as process, pytest.raises(Refused, match="no answer"):
        process.start()


def test_an_answer_to_what_nobody_asked_is_none(bundle: Write) -> None:
    twice = '{"workflows": ["Fine"]}\n{"error": "again"}'
    with bundle(writing(twice) + _GOOD) as process:
        process.start()
        outcome = process.replay("a", b"")
    assert outcome.verdict is ReplayVerdict.CRASHED
    assert "no answer" in outcome.message


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


def test_files_that_a_bundle_writes_where_it_stands_go_with_it(bundle: Write) -> None:
    code = """
import os
open("left-behind", "w").write("x")
os.makedirs("deep/" * 200)
"""
    named = _GOOD.replace("@workflow.defn", "@workflow.defn(name=os.getcwd())")
    with bundle(code + named) as process:
        home = Path(process.start().workflows[0])
        assert (home / "left-behind").exists()
    assert not home.exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "for number in range(6):\n"
            "    opened = os.open(str(number), os.O_CREAT | os.O_WRONLY)\n"
            "    os.posix_fallocate(opened, 0, 60 << 20)\n",
            "it wrote more than 256 MiB into its directory",
        ),
        ("for number in range(3000): os.mkdir(str(number))", "it made more than 2000 files"),
        (
            "threading.stack_size(65536)\n"
            "for _ in range(300): threading.Thread(target=time.sleep, args=(600,)).start()",
            "it started more than 256 threads",
        ),
    ],
)
def test_a_bundle_that_takes_more_than_it_may_is_ended_and_leaves_nothing(
    bundle: Write, code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "temporary"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    with (
        bundle(f"import os, threading, time\n{code}\ntime.sleep(600)") as process,
        pytest.raises(Refused, match=words),
    ):
        process.start()
    assert list(room.iterdir()) == []


def test_a_process_that_has_used_half_of_its_processor_time_is_replaced(
    bundle: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = _GOOD.replace("@workflow.defn", "@workflow.defn(name=str(os.getpid()))")
    with bundle(f"import os\n{named}") as process:
        first = process.start().workflows
        process.replay("a", b"")
        assert process.start().workflows == first
        monkeypatch.setattr(ChildProcess, "processor_seconds", Bounds().processor)
        process.replay("a", b"")
        assert process.start().workflows != first


def test_processor_time_is_bounded_by_the_kernel_too(bundle: Write) -> None:
    code = "import resource; raise RuntimeError(resource.getrlimit(resource.RLIMIT_CPU))"
    bounds = Bounds(seconds=PATIENCE, start_seconds=PATIENCE)
    with bundle(code) as process, pytest.raises(Refused) as refused:
        process.start()
    assert f"({bounds.processor}, {bounds.processor})" in refused.value.message
