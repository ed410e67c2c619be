"""What a replay may not do: see files but those of its bundle, of Python and of a directory of its
own; use a network; start processes or reach others; use much memory or processor time; outlive its
parent.

It bounds accidents and curious code. Where the kernel lacks one of the two filters, importing a
bundle runs what is in it with all that our own user may do; `Isolation` then says so. docs/
operations.md has what is not bounded.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console import linux
from console.clients.temporal.replay import landlock, system_calls

_PR_SET_PDEATHSIG: Final = 1
_CAPABILITIES_V3: Final = 0x20080522
_LARGEST_FILE: Final = 64 << 20
_OPEN_FILES: Final = 256
# What programs need beside Python's own files: shared libraries, time zones, harmless devices.
_SYSTEM: Final = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"),
    *("/usr/share/zoneinfo", "/etc/localtime"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
)


@dataclass(frozen=True, slots=True)
class Isolation:
    """What the system could do. `calls`: no network, no other process. `files`: no file but the
    bundle's, Python's and its own."""

    calls: bool
    files: bool


def limit_resources(*, memory: int, processor: int) -> None:
    """At most `memory` bytes of address space, `processor` seconds on all its threads together,
    files of 64 MiB, no core file, 256 open files. Processes need no number: there is none but it;
    its threads are counted by child_process.py, as the kernel's own number is one for everything
    that the user runs."""
    _lower(resource.RLIMIT_AS, memory)
    _lower(resource.RLIMIT_CPU, processor)
    _lower(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)


def _lower(kind: int, wanted: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value))


def die_with_parent() -> None:
    """Linux: SIGKILL to us when the thread that started us is gone."""
    if sys.platform == "linux":
        linux.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def cut_off(*, code: Iterable[Path], own: Path, root: Path) -> Isolation:
    """From here on this process sees the `code` and Python's own files (of `root`, the directory of
    the console, nothing else), writes below `own`, and reaches neither a network nor another
    process. It must have one thread yet: the filters hold for this one and those that it starts."""
    if sys.platform != "linux":
        return Isolation(calls=False, files=False)
    alone = _threads() == 1
    try:
        system_calls.forgo_privileges()
    except OSError:
        return Isolation(calls=False, files=False)
    linux.forbid_inspection()
    _drop_capabilities()
    readable = [*code, *python_files(root), *map(Path, _SYSTEM)]
    files = landlock.restrict(readable=readable, writable=[own, Path("/dev/null")])
    calls = system_calls.restrict()
    return Isolation(calls=calls and alone, files=files and alone)


def python_files(root: Path) -> list[Path]:
    """Where Python imports from; never a directory that `root` is in, unless the console is
    installed with everything else."""
    installed = {
        Path(path)
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_path(name))
    }
    others = {Path(entry) for entry in sys.path if entry}
    return sorted(installed | {path for path in others if not root.is_relative_to(path)})


def _threads() -> int:
    """Of this process; 1 where nobody can tell."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - a few names
    except OSError:
        return 1


def _drop_capabilities() -> None:
    """Root without any of root's rights. Nothing for whoever has none."""
    header = struct.pack("=Ii", _CAPABILITIES_V3, 0)
    with contextlib.suppress(AttributeError):  # a C library without it
        ctypes.CDLL(None).capset(header, bytes(24))
