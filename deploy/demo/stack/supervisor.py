"""Starts parts in the order of their needs, starts again what dies, stops everything it started."""

import enum
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.stack.part import Part
from deploy.demo.stack.patience import Activity, Patience, machine_load, machine_slowness
from deploy.demo.stack.probes import Asking
from deploy.demo.stack.processes import Identity, Running, activity_of, memory_by_group
from deploy.demo.stack.signal_wait import SignalWait

QUICK = 30.0  # a life shorter than this, in seconds, is a quick death
GIVE_UP_AFTER = 5
PAUSE, CALM_PAUSE = 0.1, 2.0  # seconds between two looks at all parts
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before the next start, by quick deaths so far
SETTLE = 1.0  # a part without a probe is ready when it has lived so long
LOGS_EVERY = 5.0
MEMORY_EVERY = 5.0
# After the start: adding up what processes share costs the kernel more than all the rest here.
CALM_MEMORY_EVERY = 60.0
ACTIVITY_EVERY = 1.0
LONG_START = 10.0  # seconds after which a start says how it spends its time
SLOW = 2.0  # so many times slower than a machine with nothing else to do is worth a message
LOG_BYTES = 4 * 2**20  # a log is rotated at this size: two files of it for each part


class Status(enum.StrEnum):
    """Where a part is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(slots=True)
class Unit:
    """One part and what became of it."""

    part: Part
    status: Status = Status.WAITING
    note: str = ""
    running: Running | None = None
    deaths: int = 0
    began: float = 0.0
    next_start: float = 0.0
    memory: int = 0
    took: float = 0.0
    patience: Patience = field(init=False)
    observed: float = 0.0
    asking: Asking | None = None

    def __post_init__(self) -> None:
        """How long it may take to start is its part's to say."""
        self.patience = Patience(self.part.start_timeout)

    @property
    def usable(self) -> bool:
        """Whether parts that need this one may start."""
        return self.status in {Status.READY, Status.DONE}

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be waited for at the start."""
        return self.usable or self.status is Status.FAILED


@dataclass(frozen=True, slots=True)
class Reports:
    """Whom the supervisor tells: parts as they are, messages, what runs, and when all started."""

    show: Callable[[list[Unit]], None]
    message: Callable[[str], None]
    record: Callable[[list[Identity]], None]
    started: Callable[[list[Unit], float], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the supervisor knows of the machine: seconds, what a process group did (with the log
    that it writes), and how slow everything is. Tests have their own."""

    clock: Callable[[], float] = time.monotonic
    activity: Callable[[int, Path], Activity] = activity_of
    slowness: Callable[[], float] = machine_slowness


class Supervisor:
    """Runs parts until it is told to stop."""

    def __init__(
        self,
        parts: list[Part],
        reports: Reports,
        *,
        pause_scale: float = 1.0,
        surroundings: Surroundings | None = None,
    ) -> None:
        """`pause_scale` scales the pauses before a restart, for tests."""
        self.units = {part.name: Unit(part) for part in parts}
        self.reports = reports
        self.pause_scale = pause_scale
        self.machine = surroundings or Surroundings()
        self.failed = False
        self._said_slow = False
        self._stops_asked = 0
        self._asked_at = 0.0
        self._began = self.machine.clock()
        self._announced = False
        self._measured = self._rotated = float("-inf")

    def ask_to_stop(self, *_: object) -> None:
        """Signal handler. Asked again a second later, it insists at once.

        (One Ctrl-C may arrive twice: from the terminal and from make.)
        """
        if not self._stops_asked or time.monotonic() - self._asked_at > 1.0:
            self._stops_asked += 1
            self._asked_at = time.monotonic()

    def run(self) -> int:
        """Supervise until asked to stop or until an essential step fails; the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.ask_to_stop)
        try:
            with SignalWait() as pause:
                while not self._stops_asked and not self.failed:
                    self.tick()
                    pause.wait(CALM_PAUSE if self._is_calm() else PAUSE)
        finally:
            self.stop()
        return 1 if self.failed else 0

    def tick(self) -> None:
        """Check every part once."""
        for unit in self.units.values():
            self._advance(unit)
        self._measure()
        self.reports.show(list(self.units.values()))
        if not self._announced and self._is_calm():
            self._announced = True
            self._measure_memory()
            took = self.machine.clock() - self._began
            self.reports.started(list(self.units.values()), took)

    def _is_calm(self) -> bool:
        """Whether nothing is to be done before something dies, which ends the pause."""
        return all(unit.settled for unit in self.units.values())

    def _advance(self, unit: Unit) -> None:
        match unit.status:
            case Status.WAITING:
                self._start_if_possible(unit)
            case Status.RESTARTING:
                if self.machine.clock() >= unit.next_start:
                    self._start(unit)
            case Status.STARTING | Status.READY:
                self._watch(unit)

    def _start_if_possible(self, unit: Unit) -> None:
        blockers = [self.units[name] for name in unit.part.after if name in self.units]
        missing = [needed for needed in blockers if not needed.usable]
        if not missing:
            self._start(unit)
        elif broken := [needed for needed in missing if needed.status is Status.FAILED]:
            self._fail(unit, f"not started: {broken[0].part.name} failed")
        else:
            unit.note = "for " + ", ".join(needed.part.name for needed in missing)

    def _start(self, unit: Unit) -> None:
        unit.running = Running(unit.part)
        unit.began = unit.observed = self.machine.clock()
        unit.status, unit.note, unit.asking = Status.STARTING, "", None
        unit.patience.begin(unit.began)
        self._record()

    def _watch(self, unit: Unit) -> None:
        running = unit.running
        if running is None:
            return
        code = running.exit_code()
        if code is not None:
            self._ended(unit, running, code)
        elif unit.status is Status.STARTING:
            self._check_ready(unit, running)

    def _check_ready(self, unit: Unit, running: Running) -> None:
        age = self.machine.clock() - unit.began
        if not unit.part.once and self._is_ready(unit, age):
            unit.status, unit.took, unit.note = Status.READY, age, unit.part.note
            unit.patience.tries, unit.asking = 0, None
        elif self.machine.clock() - unit.observed >= ACTIVITY_EVERY:
            self._check_progress(unit, running, age)

    def _is_ready(self, unit: Unit, age: float) -> bool:
        """Whoever is asked may take long, on a slow machine or because it hangs: the others are
        not kept waiting for the answer."""
        if unit.part.ready is None:
            return age >= SETTLE
        if unit.asking is None:
            unit.asking = Asking(unit.part.ready)
        answer = unit.asking.answer()
        if answer is False:
            unit.asking = None
        return answer is True

    def _check_progress(self, unit: Unit, running: Running, age: float) -> None:
        now = unit.observed = self.machine.clock()
        slowness = self.machine.slowness()
        activity = self.machine.activity(running.pid, unit.part.log)
        late = unit.patience.observe(now, activity, slowness=slowness, waits=self._waits(unit))
        if late:
            running.kill()
            unit.patience.tries += 1
            self._died(unit, running, late)
        elif age >= LONG_START:
            unit.note = unit.patience.note(age)
            self._say_slow(slowness)

    def _waits(self, unit: Unit) -> bool:
        """Whether what it needs is being started again."""
        return not all(self.units[name].usable for name in unit.part.after if name in self.units)

    def _say_slow(self, slowness: float) -> None:
        if slowness < SLOW or self._said_slow:
            return
        self._said_slow = True
        load, processors = machine_load()
        self.reports.message(
            f"This machine is busy (load {load:.0f} on {processors} processors), so starting takes "
            "longer. Nothing that makes progress is started again."
        )

    def _ended(self, unit: Unit, running: Running, code: int) -> None:
        running.kill()  # children that outlived it would hold its ports
        if unit.part.once and code == 0:
            unit.took = self.machine.clock() - unit.began
            unit.status, unit.note = Status.DONE, unit.part.note
            unit.running, unit.memory = None, 0
            self._record()
        else:
            self._died(unit, running, _how_it_ended(code))

    def _died(self, unit: Unit, running: Running, how: str) -> None:
        unit.running, unit.memory = None, 0
        self._record()
        quick = self.machine.clock() - unit.began < QUICK
        unit.deaths = unit.deaths + 1 if quick else 1
        times = max(unit.deaths, unit.patience.tries)
        if unit.part.once or times >= GIVE_UP_AFTER:
            self._fail(unit, how if unit.part.once else f"{how}, {times} times in a row")
            self.reports.message(running.log_tail())
            self.reports.message(f"The whole log of {unit.part.name}: {unit.part.log}")
            return
        pause = PAUSES[unit.deaths - 1] * self.pause_scale
        unit.status, unit.note = Status.RESTARTING, how
        unit.next_start = self.machine.clock() + pause
        self.reports.message(f"{unit.part.name} {how}; starting it again in {pause:.1f} s")

    def _fail(self, unit: Unit, why: str) -> None:
        unit.status, unit.note = Status.FAILED, why
        self.reports.message(f"{unit.part.name} failed: {why}")
        self.failed = self.failed or unit.part.essential

    def _measure(self) -> None:
        """Logs every few seconds; memory, too, until all have started, and then now and then."""
        now = self.machine.clock()
        if now - self._rotated >= LOGS_EVERY:
            self._rotated = now
            for unit in self.units.values():
                if unit.running:
                    unit.running.rotate(LOG_BYTES)
        if now - self._measured >= (CALM_MEMORY_EVERY if self._announced else MEMORY_EVERY):
            self._measure_memory()

    def _measure_memory(self) -> None:
        self._measured = self.machine.clock()
        totals = memory_by_group(unit.running.pid for unit in self.units.values() if unit.running)
        for unit in self.units.values():
            unit.memory = totals.get(unit.running.pid, 0) if unit.running else 0

    def _record(self) -> None:
        self.reports.record([unit.running.identity for unit in self.units.values() if unit.running])

    def stop(self) -> None:
        """Stop every part, in the order of their ranks; each rank together."""
        units = [unit for unit in self.units.values() if unit.running]
        for rank in sorted({unit.part.stop_rank for unit in units}):
            self._stop_together([unit for unit in units if unit.part.stop_rank == rank])
        self._record()

    def _stop_together(self, units: list[Unit]) -> None:
        began = time.monotonic()
        patience = self._stops_asked
        for unit in units:
            if unit.running:
                unit.running.signal(unit.part.stop_signal)
                unit.running.signal(signal.SIGCONT)  # one that was paused could not hear
        while any(unit.running for unit in units):
            for unit in units:
                late = time.monotonic() - began > unit.part.stop_timeout
                if unit.running and (unit.running.gone() or late or self._stops_asked > patience):
                    unit.running.kill()
                    unit.running, unit.status = None, Status.STOPPED
                    unit.note, unit.memory = "", 0
            self.reports.show(list(self.units.values()))
            time.sleep(0.05)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
