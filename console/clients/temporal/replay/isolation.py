"""What a replay may not do: use much memory, write large files, leave core files, outlive its
parent, leave its process group, start processes, use a network.

This bounds accidents. It is no wall against hostile code: importing a bundle runs what is in it,
as our own user; that is why only admins register bundles.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import resource
import signal
import struct
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_FILTER_MODE: Final = 2

# Linux: audit architecture, the number of clone(), and those of socket(), io_uring_setup(),
# setpgid(), setsid(), fork() and vfork() there. A process that can make neither of the first two
# has no network, but for the sockets that it was given; without setpgid and setsid it is killed
# with its group; without the others the bound on memory is one on all that the bundle does.
_ARCHITECTURES: Final = {
    "x86_64": (0xC000003E, 56, (41, 425, 109, 112, 57, 58)),
    "aarch64": (0xC00000B7, 220, (198, 425, 154, 157)),
}
# clone3() hides its flags from a filter: where it does not exist, the C library makes its threads
# with clone().
_CLONE3: Final = 435
_CLONE_THREAD: Final = 0x00010000
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_ANSWER: Final = 0x06  # BPF_RET | BPF_K
_ALLOW: Final = 0x7FFF0000
_FAIL: Final = 0x00050000
_X32_BIT: Final = 0x40000000
_LARGEST_FILE: Final = 64 << 20


def limit_resources(*, memory: int) -> None:
    """At most `memory` bytes of address space, files of 64 MiB, no core file, 256 open files."""
    _lower(resource.RLIMIT_AS, memory)
    _lower(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, 256)


def _lower(kind: int, wanted: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value))


def die_with_parent() -> None:
    """Linux: SIGKILL to us when the thread that started us is gone."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def cut_off() -> bool:
    """No new sockets, no other process and no other process group from here on; threads only. False
    where the system has no such filter for us: the caller then says so."""
    numbers = _ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None
    if numbers is None:
        return False
    program = _program(*numbers)
    steps = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(steps))
    try:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_SECCOMP, _FILTER_MODE, head)
    except OSError:
        return False
    return True


def _program(architecture: int, clone: int, refused: tuple[int, ...]) -> bytes:
    # Where the answers stand, behind the calls that are refused. A jump counts from the next step.
    refuse, missing, flags = (len(refused) + place for place in (7, 8, 9))
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture that the call was made for
        (_EQUAL, 0, refuse - 2, architecture),  # another one: refused
        (_LOAD, 0, 0, 0),  # the number of the call
        (_AT_LEAST, refuse - 4, 0, _X32_BIT),  # the x32 numbers of the same calls
        (_EQUAL, flags - 5, 0, clone),
        (_EQUAL, missing - 6, 0, _CLONE3),
        *((_EQUAL, refuse - 7 - place, 0, number) for place, number in enumerate(refused)),
        (_ANSWER, 0, 0, _ALLOW),
        (_ANSWER, 0, 0, _FAIL | errno.EPERM),
        (_ANSWER, 0, 0, _FAIL | errno.ENOSYS),
        (_LOAD, 0, 0, 16),  # the flags of clone()
        (_ANY_BIT, 0, 1, _CLONE_THREAD),
        (_ANSWER, 0, 0, _ALLOW),
        (_ANSWER, 0, 0, _FAIL | errno.EPERM),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _prctl(option: int, argument: int, pointer: bytes | None = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    third = ctypes.c_char_p(pointer) if pointer is not None else ctypes.c_ulong(0)
    zero = ctypes.c_ulong(0)
    if libc.prctl(ctypes.c_int(option), ctypes.c_ulong(argument), third, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option} was refused")
