"""The supervisor, with tiny programs instead of servers."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from deploy.demo.stack.part import Part
from deploy.demo.stack.patience import Activity
from deploy.demo.stack.processes import Identity, group_exists
from deploy.demo.stack.supervisor import (
    GIVE_UP_AFTER,
    Reports,
    Status,
    Supervisor,
    Surroundings,
    Unit,
)
from tests.waiting import PATIENCE, until

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"


@dataclass
class Reported:
    """What the supervisor reported."""

    messages: list[str] = field(default_factory=list)
    recorded: list[list[Identity]] = field(default_factory=list)
    started: list[float] = field(default_factory=list)

    def reports(self) -> Reports:
        return Reports(
            show=lambda units: None,
            message=self.messages.append,
            record=self.recorded.append,
            started=lambda units, seconds: self.started.append(seconds),
        )


def part(home: Path, name: str, code: str = SLEEPS, **options: object) -> Part:
    log = home / f"{name}.log"
    base: dict[str, object] = {"ready": lambda: log.read_bytes() != b"", "stop_timeout": PATIENCE}
    return Part(name=name, argv=(sys.executable, "-c", code), log=log, **(base | options))  # type: ignore[arg-type] # options of a Part by name


@pytest.fixture
def reported() -> Reported:
    return Reported()


@pytest.fixture
def supervise(reported: Reported) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(*parts: Part) -> Supervisor:
        made.append(Supervisor(list(parts), reported.reports(), pause_scale=0.01))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop()


def tick_until(supervisor: Supervisor, done: Callable[[], bool]) -> None:
    def ticked() -> bool:
        if not done():
            supervisor.tick()
        return done()

    until(
        ticked,
        lambda: str({name: (unit.status, unit.note) for name, unit in supervisor.units.items()}),
    )


def pid_of(unit: Unit) -> int:
    assert unit.running is not None
    return unit.running.pid


def test_a_part_waits_for_what_it_needs(
    tmp_path: Path, supervise: Callable[..., Supervisor]
) -> None:
    step = part(tmp_path, "step", "import time; time.sleep(0.2)", once=True)
    server = part(tmp_path, "server", after=("step",))
    supervisor = supervise(server, step)
    units = supervisor.units
    supervisor.tick()
    assert (units["server"].status, units["server"].note) == (Status.WAITING, "for step")
    tick_until(supervisor, lambda: units["server"].status is Status.READY)
    assert units["step"].status is Status.DONE


def test_the_start_is_announced_once_when_everything_is_ready(
    tmp_path: Path, supervise: Callable[..., Supervisor], reported: Reported
) -> None:
    supervisor = supervise(part(tmp_path, "one"), part(tmp_path, "two"))
    tick_until(supervisor, lambda: bool(reported.started))
    for _ in range(5):
        supervisor.tick()
    assert len(reported.started) == 1


def test_a_part_that_is_killed_is_started_again_and_reported(
    tmp_path: Path, supervise: Callable[..., Supervisor], reported: Reported
) -> None:
    supervisor = supervise(part(tmp_path, "server"))
    unit = supervisor.units["server"]
    tick_until(supervisor, lambda: unit.status is Status.READY)
    first = pid_of(unit)
    assert unit.running is not None
    unit.running.signal(signal.SIGKILL)
    tick_until(supervisor, lambda: unit.status is Status.READY and pid_of(unit) != first)
    assert reported.messages == ["server was ended by SIGKILL; starting it again in 0.0 s"]


def test_a_part_that_dies_five_times_is_given_up_with_its_last_words(
    tmp_path: Path, supervise: Callable[..., Supervisor], reported: Reported
) -> None:
    code = "import sys; sys.exit('no such database')"
    broken = part(tmp_path, "broken", code, ready=lambda: False)
    supervisor = supervise(broken, part(tmp_path, "needs-it", after=("broken",)))
    units = supervisor.units
    tick_until(supervisor, lambda: units["needs-it"].status is Status.FAILED)
    assert units["broken"].status is Status.FAILED
    assert units["broken"].deaths == GIVE_UP_AFTER
    assert units["needs-it"].note == "not started: broken failed"
    assert "no such database" in reported.messages
    assert f"The whole log of broken: {broken.log}" in reported.messages
    assert reported.started, "the others are announced all the same"


def test_a_part_that_never_gets_ready_counts_as_dead(
    tmp_path: Path, supervise: Callable[..., Supervisor], reported: Reported
) -> None:
    # clock: it never is
    never = part(tmp_path, "mute", ready=lambda: False, start_timeout=0.2)
    supervisor = supervise(never)
    unit = supervisor.units["mute"]
    tick_until(supervisor, lambda: unit.deaths == 1)
    assert reported.messages[0].startswith("mute was not ready and did nothing for ")


@dataclass
class Machine:
    """A machine whose clock a test sets, so that nothing here hangs on how fast the real one is."""

    share: float = 0.0
    starved: float = 0.0
    load: float = 1.0
    now: float = 0.0

    def surroundings(self) -> Surroundings:
        return Surroundings(
            clock=lambda: self.now,
            activity=lambda _group, _log: Activity(self.now * self.share, self.now * self.starved),
            slowness=lambda: self.load,
        )


def test_on_a_busy_machine_nothing_that_makes_progress_is_killed(
    tmp_path: Path, reported: Reported
) -> None:
    """Load 60 on two processors: for half an hour each part gets a thirtieth of one."""
    machine = Machine(share=1 / 30, starved=29 / 30, load=30.0)
    ready = tmp_path / "is-ready"
    parts = [part(tmp_path, name, ready=ready.exists) for name in ("one", "two", "three")]
    supervisor = Supervisor(parts, reported.reports(), surroundings=machine.surroundings())
    try:
        for machine.now in range(0, 1740, 20):
            supervisor.tick()
        pids = {unit.part.name: pid_of(unit) for unit in supervisor.units.values()}
        ready.touch()
        tick_until(supervisor, lambda: bool(reported.started))
        assert {unit.part.name: pid_of(unit) for unit in supervisor.units.values()} == pids
    finally:
        supervisor.stop()
    (message,) = reported.messages
    assert message.startswith("This machine is busy (load ")
    assert message.endswith("Nothing that makes progress is started again.")
    assert reported.started == [1720.0]


def test_one_that_hangs_is_started_again_with_more_time_each_try_and_then_given_up(
    tmp_path: Path, reported: Reported
) -> None:
    machine = Machine()
    mute = part(tmp_path, "mute", ready=lambda: False, start_timeout=60.0)
    supervisor = Supervisor([mute], reported.reports(), surroundings=machine.surroundings())
    unit = supervisor.units["mute"]
    starts: dict[int, float] = {}
    try:
        for machine.now in range(0, 4000, 10):
            supervisor.tick()
            if unit.running:
                starts.setdefault(pid_of(unit), machine.now)
    finally:
        supervisor.stop()
    times = list(starts.values())
    lives = [later - earlier for earlier, later in pairwise(times)]
    # The limit, what is left until the next look, and the pause before the next start.
    assert lives == [80.0, 140.0, 260.0, 500.0]
    assert unit.status is Status.FAILED
    assert unit.note == "was not ready and did nothing for 970 s, 5 times in a row"


def test_a_question_that_hangs_does_not_keep_the_others_waiting(
    tmp_path: Path, supervise: Callable[..., Supervisor]
) -> None:
    hanging = Event()
    slow = part(tmp_path, "slow", ready=hanging.wait)
    supervisor = supervise(slow, part(tmp_path, "quick"))
    units = supervisor.units
    try:
        tick_until(supervisor, lambda: units["quick"].status is Status.READY)
        assert units["slow"].status is Status.STARTING
    finally:
        hanging.set()
    tick_until(supervisor, lambda: units["slow"].status is Status.READY)


def test_a_question_that_breaks_is_answered_with_no(
    tmp_path: Path, supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    broke: list[object] = []
    monkeypatch.setattr("threading.excepthook", broke.append)
    answer = tmp_path / "answer"
    broken = part(tmp_path, "broken", ready=lambda: answer.read_text() == "yes")
    supervisor = supervise(broken)
    unit = supervisor.units["broken"]
    tick_until(supervisor, lambda: len(broke) > 1)
    assert unit.status is Status.STARTING
    answer.write_text("yes")
    tick_until(supervisor, lambda: unit.status is Status.READY)


def test_an_essential_step_that_fails_ends_the_stack(
    tmp_path: Path, supervise: Callable[..., Supervisor]
) -> None:
    step = part(tmp_path, "migrate", "raise SystemExit(3)", once=True, essential=True)
    supervisor = supervise(step)
    tick_until(supervisor, lambda: supervisor.failed)
    assert supervisor.units["migrate"].note == "ended with code 3"


def test_children_of_a_dead_part_do_not_hold_on_to_its_port(
    tmp_path: Path, supervise: Callable[..., Supervisor]
) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True); child.wait()"
    )
    supervisor = supervise(part(tmp_path, "parent", code))
    unit = supervisor.units["parent"]
    tick_until(supervisor, lambda: unit.status is Status.READY)
    child = Identity(int(unit.part.log.read_text()), 0)
    group = pid_of(unit)
    assert unit.running is not None
    signal_only_the_parent(group)
    tick_until(supervisor, lambda: unit.deaths == 1)
    until(lambda: not group_exists(group))
    assert not group_exists(group)
    assert not Path(f"/proc/{child.pid}").exists()


def signal_only_the_parent(pid: int) -> None:
    """Unlike Running.signal, which reaches the group."""
    os.kill(pid, signal.SIGKILL)


def test_stopping_goes_by_rank_and_leaves_nothing(
    tmp_path: Path, supervise: Callable[..., Supervisor], reported: Reported
) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(order)!r}, 'a').write(sys.argv[1] + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(600)"
    )
    store = part(tmp_path, "store", stop_rank=30)
    client = part(tmp_path, "client", stop_rank=10)
    parts = [
        Part(name=p.name, argv=(sys.executable, "-c", code, p.name), log=p.log,
             ready=p.ready, stop_rank=p.stop_rank, stop_timeout=PATIENCE)
        for p in (store, client)
    ]  # fmt: skip
    supervisor = supervise(*parts)
    tick_until(supervisor, lambda: bool(reported.started))
    groups = [pid_of(unit) for unit in supervisor.units.values()]
    supervisor.stop()
    assert order.read_text().split() == ["client", "store"]
    assert not any(group_exists(group) for group in groups)
    assert reported.recorded[-1] == []


def test_a_part_that_ignores_the_signal_is_killed(
    tmp_path: Path, supervise: Callable[..., Supervisor]
) -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
    never = part(tmp_path, "stubborn", code, stop_timeout=0.2)  # clock: it never ends
    supervisor = supervise(never)
    unit = supervisor.units["stubborn"]
    tick_until(supervisor, lambda: unit.status is Status.READY)
    group = pid_of(unit)
    supervisor.stop()
    assert unit.status is Status.STOPPED
    assert not group_exists(group)


def test_a_log_is_rotated_while_its_program_goes_on_writing(
    tmp_path: Path, supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.demo.stack.supervisor.LOG_BYTES", 10_000)
    monkeypatch.setattr("deploy.demo.stack.supervisor.LOGS_EVERY", 0.0)
    code = (
        "import sys, time, itertools\n"
        "for number in itertools.count():\n"
        "    print(f'{number:099}', flush=True)\n"
        "    time.sleep(0.001)  # clock: a program that talks a lot, not one that does nothing else"
    )
    talker = part(tmp_path, "talker", code)
    supervisor = supervise(talker)
    earlier = tmp_path / "talker.log.1"

    def rotated_twice() -> bool:
        return earlier.exists() and int(earlier.read_text().split()[0]) > 0

    tick_until(supervisor, rotated_twice)
    tick_until(supervisor, lambda: talker.log.stat().st_size > 500)
    lines = talker.log.read_bytes().split()
    # Written from the beginning of the file again, not after a hole where the old end was.
    assert lines[0].isdigit()
    assert int(lines[0]) >= int(earlier.read_text().split()[-1])
    assert {path.name for path in tmp_path.glob("*.log*")} == {"talker.log", "talker.log.1"}
