"""One readable line per part: redrawn in place on a terminal, else a line per change."""

import contextlib
import shutil
import sys
from typing import TextIO

from deploy.demo.stack.supervisor import Status, Unit

MEBIBYTE = 1024 * 1024
COLOURS = {
    Status.READY: "32",
    Status.DONE: "2",
    Status.FAILED: "1;31",
    Status.RESTARTING: "33",
    Status.STARTING: "36",
}


class Display:
    """Shows units and messages."""

    def __init__(self, out: TextIO = sys.stdout, *, terminal: bool | None = None) -> None:
        """`terminal`: redraw in place; asks `out` if not given."""
        self.out = out
        self.terminal = out.isatty() if terminal is None else terminal
        self._shown: list[str] = []
        self._seen: dict[str, tuple[Status, int]] = {}

    def message(self, text: str) -> None:
        """A message that stays on the screen, above the parts."""
        if text:
            self._erase()
            self._write(text)
            self._draw(self._shown)

    def last(self, text: str) -> None:
        """The last message, below the parts."""
        self._shown = []
        self._write(text)

    def show(self, units: list[Unit]) -> None:
        """Show the units as they are now."""
        if self.terminal:
            lines = [self._fit(unit) for unit in units]
            if lines != self._shown:
                self._erase()
                self._draw(lines)
                self._shown = lines
            return
        for unit in units:
            # The pid as well: a restart between two looks is a change.
            now = (unit.status, unit.running.pid if unit.running else 0)
            if unit.status is not Status.WAITING and self._seen.get(unit.part.name) != now:
                self._seen[unit.part.name] = now
                self._write(line(unit))

    def _fit(self, unit: Unit) -> str:
        text = line(unit)[: shutil.get_terminal_size().columns - 1]
        colour = COLOURS.get(unit.status)
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text

    def _erase(self) -> None:
        if self.terminal and self._shown:
            self._put(f"\x1b[{len(self._shown)}A\x1b[J")

    def _draw(self, lines: list[str]) -> None:
        if self.terminal and lines:
            self._write("\n".join(lines))

    def _write(self, text: str) -> None:
        self._put(text + "\n")

    def _put(self, text: str) -> None:
        # Nobody may be there to read any more (terminal closed, `| head`): that must not keep
        # the supervisor from stopping what it started.
        with contextlib.suppress(OSError):
            self.out.write(text)
            self.out.flush()


def line(unit: Unit) -> str:
    """Name, state, pid, port, memory, seconds until ready, note."""
    running = unit.running
    pid = f"pid {running.pid}" if running else ""
    port = f":{unit.part.port}" if running and unit.part.port else ""
    memory = f"{unit.memory / MEBIBYTE:.0f} MiB" if unit.memory else ""
    took = f"{unit.took:.1f} s" if unit.usable else ""
    fields = f"  {unit.part.name:<24}{unit.status:<11}{pid:<12}{port:<7}{memory:>8}{took:>8}"
    return f"{fields}  {unit.note}".rstrip()
