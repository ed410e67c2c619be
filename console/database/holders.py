"""Which process holds a claim, written so that another one can tell whether it still runs.

A process id says something only inside one PID namespace of one boot of one machine. Containers of
a machine share the boot and may share the host name, and each has a process 1; clones of a virtual
machine share the boot. So a holder is judged only by who is on a host of the same name, of the same
boot and in the same namespace; the start of the process tells apart those that got one number.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path
from typing import Final

from console.numbers import whole_number

LONGEST: Final = 200
_PROC: Final = Path("/proc")
_ENDED: Final = frozenset("ZX")
"""States of a process that has ended and was not waited for yet."""
_MOST_PID: Final = 2**22
"""As far as Linux counts."""


def own_holder() -> str:
    """This process, as claims name it; empty where the machine does not say enough."""
    return _holder(os.getpid())


@cache
def _holder(pid: int) -> str:
    # By its number, so that a child of a fork does not pass for its parent.
    place, began = _place(), _began(pid)
    if not place or began is None or not _sees_itself(pid):
        return ""
    holder = f"{place}|{pid}|{began}"
    return holder if len(holder) <= LONGEST else ""


def has_ended(holder: str) -> bool:
    """Whether a holder certainly runs no more; False for all that cannot be known from here."""
    place, _, process = holder.rpartition("|")[0].rpartition("|")
    pid = whole_number(process)
    if not pid or pid > _MOST_PID or place != _place() or not own_holder():
        return False
    return _runs_no_more(pid, holder.rpartition("|")[2])


def _runs_no_more(pid: int, began: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's: /proc may be hidden from us, then it is taken to be the one
    now = _began(pid)
    return now is not None and now != began


def _place() -> str:
    """Host name, boot and PID namespace; empty where one of them is not told."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / "self/ns/pid").readlink().name
    except OSError:
        return ""
    host = socket.gethostname().replace("|", "")[:64]
    return f"{host}|{boot}|{namespace}" if host and boot and namespace else ""


def _began(pid: int) -> str | None:
    """Clock ticks from boot to its start, "ended" for one that was not waited for yet; None where
    that is not told. Its name may hold spaces and brackets, so it is read from the end."""
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        return "ended" if fields[0].decode() in _ENDED else str(int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def _sees_itself(pid: int) -> bool:
    """Whether /proc is that of our own namespace: a container may have its host's."""
    try:
        return (_PROC / "self").readlink().name == str(pid)
    except OSError:
        return False
