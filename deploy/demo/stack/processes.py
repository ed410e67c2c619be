"""Processes that we start, recognise and stop: only ours, whole groups, no recycled pid."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.stack.part import Part
from deploy.demo.stack.patience import DISK_SLEEP, Activity

PARENT_DEATH = Path(__file__).with_name("parent_death.py")
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process for ever: its pid, and when it began (clock ticks since boot)."""

    pid: int
    began: int

    def alive(self) -> bool:
        """Whether this very process runs, not another one that got its pid."""
        stat = _stat(self.pid)
        return stat is not None and stat.began == self.began and stat.state != "Z"


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    state: str
    group: int
    began: int
    processor: float


def _stat(pid: int) -> _Stat | None:
    """What /proc says. The name may contain spaces and brackets, so read from its end."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # With that of children that it has waited for.
    processor = sum(map(int, fields[11:15])) / TICKS
    return _Stat(pid, fields[0], int(fields[2]), int(fields[19]), processor)


def identify(pid: int) -> Identity | None:
    """The identity of a running process."""
    stat = _stat(pid)
    return None if stat is None else Identity(pid, stat.began)


def _all() -> Iterator[_Stat]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            yield stat


def _pss(pid: int) -> int:
    """Proportional memory in bytes: what is shared counts once over all who share it."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # Headroom's own processes are closed to others of their user
    return _rss(pid)


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def memory_by_group(groups: Iterable[int]) -> dict[int, int]:
    """Bytes of memory (PSS) of each process group."""
    totals = dict.fromkeys(groups, 0)
    for stat in _all():
        if stat.group in totals:
            totals[stat.group] += _pss(stat.pid)
    return totals


def resident_by_group(groups: Iterable[int]) -> dict[int, int]:
    """Bytes resident (RSS) of each process group; what processes share counts for each."""
    totals = dict.fromkeys(groups, 0)
    for stat in _all():
        if stat.group in totals:
            totals[stat.group] += _rss(stat.pid)
    return totals


def activity_of(group: int, log: Path) -> Activity:
    """What a process group has done since its start. Nothing where there is no /proc."""
    members = [stat for stat in _all() if stat.group == group] if Path("/proc").is_dir() else []
    threads = [thread for stat in members for thread in _threads(stat.pid)]
    try:
        written = log.stat().st_size
    except OSError:
        written = 0
    return Activity(
        processor=sum(stat.processor for stat in members),
        starved=sum(starved for starved, _ in threads),
        log=written,
        on_disk=any(state == DISK_SLEEP for _, state in threads),
    )


def _threads(pid: int) -> Iterator[tuple[float, str]]:
    """Of each thread: how long it waited for a processor (seconds), and its state."""
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                waited = int((thread / "schedstat").read_text().split()[1]) / 1e9
                yield waited, (thread / "stat").read_text().rpartition(")")[2].split()[0]


def processor_by_group(groups: Iterable[int]) -> dict[int, float]:
    """Seconds of processor time of each process group, so far."""
    totals = dict.fromkeys(groups, 0.0)
    for stat in _all():
        if stat.group in totals:
            totals[stat.group] += stat.processor
    return totals


def marked(pid: int, mark: tuple[str, str]) -> bool:
    """Whether a process was started with the environment variable `mark` (name, value)."""
    wanted = "=".join(mark).encode()
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def leftovers(recorded: list[Identity], mark: tuple[str, str]) -> set[int]:
    """The groups among `recorded` that still have members of ours.

    Ours is the recorded leader itself, or a process in its group that carries our mark (a child
    that outlived its leader). Anything else that got one of the numbers is left alone.
    """
    groups = {identity.pid: identity for identity in recorded}
    return {
        stat.group
        for stat in _all()
        if stat.group in groups
        and (stat.began == groups[stat.group].began or marked(stat.pid, mark))
    }


class Running:
    """A part that has been started, in a session and process group of its own."""

    def __init__(self, part: Part) -> None:
        """Start it. The log of the life before is kept as `NAME.log.1`."""
        self.part = part
        part.log.parent.mkdir(parents=True, exist_ok=True)
        if part.log.exists():
            part.log.replace(part.log.with_name(part.log.name + ".1"))
        wrapper = [sys.executable, "-I", "-S", str(PARENT_DEATH), str(int(part.orphan_signal))]
        # Appending, so that what is written after `rotate` goes to the beginning of the file.
        with part.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [*wrapper, str(os.getpid()), str(part.user), *part.argv],
                env={**os.environ, **part.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.identity = identify(self._popen.pid) or Identity(self._popen.pid, 0)

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative: ended by that signal."""
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; to one that was paused as well."""
        signal_group(self.pid, number)

    def gone(self) -> bool:
        """Whether the process and everything in its group have ended."""
        return self.exit_code() is not None and not group_exists(self.pid)

    def kill(self) -> None:
        """End what is left of the group, at once."""
        signal_group(self.pid, signal.SIGKILL)
        self._popen.wait()

    def stop(self) -> None:
        """Ask it to end, wait for its `stop_timeout`, then insist."""
        self.signal(self.part.stop_signal)
        self.signal(signal.SIGCONT)
        deadline = time.monotonic() + self.part.stop_timeout
        while not self.gone() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def rotate(self, most: int) -> None:
        """Keeps the log below `most` bytes while the program has it open: what was written until
        now becomes `NAME.log.1`, so that never more than two such files are there."""
        log = self.part.log
        with contextlib.suppress(OSError):
            if log.stat().st_size > most:
                shutil.copyfile(log, log.with_name(log.name + ".1"))
                os.truncate(log, 0)

    def log_tail(self, lines: int = 8) -> str:
        """The end of its log."""
        return log_tail(self.part.log, lines)


def log_tail(log: Path, lines: int) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 16_384))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def group_exists(group: int) -> bool:
    """Whether any process is in the group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # someone else's by now
        return False
    return True


def signal_group(group: int, number: signal.Signals) -> None:
    """Signal a group that may have ended already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
