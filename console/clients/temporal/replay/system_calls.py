"""Which system calls a process may make: Linux's seccomp, as a filter program of our own.

What is refused: a network, other processes and programs, whatever reaches other processes (signals,
their memory, their limits, their priorities, their shared memory), changes of what a file is like
without opening it, and undoing what holds this process. What opens files is bounded by landlock.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

from console import linux

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_FILTER_MODE: Final = 2

_AUDIT_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Refused, by their numbers there; 0 where an architecture has none.
_REFUSED: Final = {
    # A network. io_uring makes the other calls without making them.
    "socket": (41, 198),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Other programs and processes, and leaving the group with which it is killed.
    "fork": (57, 0),
    "vfork": (58, 0),
    "execve": (59, 221),
    "execveat": (322, 281),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    # Other processes of the same user.
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # What a file is like: permissions, owners, times, length, and being told of its changes.
    "chmod": (90, 0),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, 0),
    "fchown": (93, 55),
    "lchown": (94, 0),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "utime": (132, 0),
    "utimes": (235, 0),
    "futimesat": (261, 0),
    "utimensat": (280, 88),
    "truncate": (76, 45),
    "open_by_handle_at": (304, 265),
    "inotify_init": (253, 0),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # Memory that no limit counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # What holds it, and the machine.
    "setrlimit": (160, 164),
    "capset": (126, 91),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "fsopen": (430, 430),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "personality": (135, 92),
}
# clone3() hides its flags from a filter: where it does not exist, the C library makes its threads
# with clone().
_CLONE3: Final = 435
# Looked into, by their numbers there.
_CLONE: Final = (56, 220)
_KILL: Final = (62, 129)
_TGKILL: Final = (234, 131)
_PRLIMIT: Final = (302, 261)
_PRCTL: Final = (157, 167)
_FCNTL: Final = (72, 25)
_IOCTL: Final = (16, 29)
_CLONE_THREAD: Final = 0x00010000
_PR_SET_PDEATHSIG: Final = 1
# They name a process that gets a signal from the kernel.
_F_SETOWN_SETSIG_SETOWN_EX: Final = (8, 10, 15)
_FIOSETOWN_SIOCSPGRP: Final = (0x8901, 0x8902)

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_ANSWER: Final = 0x06  # BPF_RET | BPF_K
_X32_BIT: Final = 0x40000000

Step = tuple[int, int, int, int]
ALLOW: Final[Step] = (_ANSWER, 0, 0, 0x7FFF0000)
REFUSE: Final[Step] = (_ANSWER, 0, 0, 0x00050000 | errno.EPERM)
MISSING: Final[Step] = (_ANSWER, 0, 0, 0x00050000 | errno.ENOSYS)


def restrict() -> bool:
    """The filter, for this thread and those that it starts; there must be no others yet. False
    where the system has none for us."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _AUDIT_ARCHITECTURES:
        return False
    program = b"".join(struct.pack("HBBI", *step) for step in _program(machine, os.getpid()))
    steps = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(steps))
    try:
        linux.prctl(_PR_SET_SECCOMP, _FILTER_MODE, head)
    except OSError:
        return False
    return True


def forgo_privileges() -> None:
    """No program that is started later has more rights than its caller. Raises OSError."""
    linux.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _program(machine: str, pid: int) -> list[Step]:
    which = list(_AUDIT_ARCHITECTURES).index(machine)
    return [
        (_LOAD, 0, 0, 4),  # the architecture that the call was made for
        (_EQUAL, 1, 0, _AUDIT_ARCHITECTURES[machine]),
        REFUSE,  # another one
        (_LOAD, 0, 0, 0),  # the number of the call
        (_AT_LEAST, 0, 1, _X32_BIT),
        REFUSE,  # the x32 numbers of the same calls
        *(step for numbers in _REFUSED.values() for step in _case(numbers[which], REFUSE)),
        *_case(_CLONE3, MISSING),
        *_case(_CLONE[which], _argument(0), (_ANY_BIT, 1, 0, _CLONE_THREAD), REFUSE, ALLOW),
        *_case(_KILL[which], *_only(0, pid)),
        *_case(_TGKILL[which], *_only(0, pid)),
        *_case(_PRCTL[which], *_none_of(0, _PR_SET_PDEATHSIG)),
        *_case(_FCNTL[which], *_none_of(1, *_F_SETOWN_SETSIG_SETOWN_EX)),
        *_case(_IOCTL[which], *_none_of(1, *_FIOSETOWN_SIOCSPGRP)),
        *_case(_PRLIMIT[which], *_own_limits_unchanged(pid)),
        ALLOW,
    ]


def _case(number: int, *answer: Step) -> list[Step]:
    """What is done about one call; the answer ends with a verdict whichever way it goes."""
    return [(_EQUAL, 0, len(answer), number), *answer] if number else []


def _argument(place: int, *, high: bool = False) -> Step:
    """Loads the lower or the higher half of an argument (both architectures are little-endian)."""
    return (_LOAD, 0, 0, 16 + 8 * place + (4 if high else 0))


def _only(place: int, *values: int) -> list[Step]:
    tests = [(_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [_argument(place), *tests, REFUSE, ALLOW]


def _none_of(place: int, *values: int) -> list[Step]:
    tests = [(_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [_argument(place), *tests, ALLOW, REFUSE]


def _own_limits_unchanged(pid: int) -> list[Step]:
    """prlimit64(): of this process, and with no new values (the third argument is no pointer)."""
    return [
        _argument(0),
        (_EQUAL, 1, 0, 0),
        (_EQUAL, 0, 4, pid),
        _argument(2),
        (_EQUAL, 0, 2, 0),
        _argument(2, high=True),
        (_EQUAL, 1, 0, 0),
        REFUSE,
        ALLOW,
    ]
