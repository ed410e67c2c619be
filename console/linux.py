"""Calls of Linux that Python has no function for."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_M_ARENA_MAX: Final = -8


def prepare_process() -> None:
    """What each of our processes does first."""
    forbid_inspection()
    keep_memory_together()


def forbid_inspection() -> None:
    """Closes this process to others of the same user: they can read neither its memory nor its
    environment (/proc/PID/mem, environ, fd), nor trace it; it leaves no core file. Threads and
    forks are closed with it, a program that it starts is not. Does nothing elsewhere."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            prctl(_PR_SET_DUMPABLE, 0)


def keep_memory_together() -> None:
    """Tells glibc to serve all threads from two heaps: with one for each thread, what many short
    threads have freed is never given back. Nothing where the C library is another one."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def give_back_memory() -> None:
    """Gives what is free in glibc's heaps back to the system: after something large, for a process
    that is at rest for long."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def prctl(option: int, argument: int, pointer: bytes | None = None) -> int:
    """prctl(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    third = ctypes.c_char_p(pointer) if pointer is not None else ctypes.c_ulong(0)
    zero = ctypes.c_ulong(0)
    answer = libc.prctl(ctypes.c_int(option), ctypes.c_ulong(argument), third, zero, zero)
    return _checked(int(answer))


def call(number: int, *arguments: int | bytes | None) -> int:
    """A system call by its number: integers as they are, bytes and None as pointers. Raises
    OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    values = [
        ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)
        for argument in arguments
    ]
    return _checked(int(libc.syscall(ctypes.c_long(number), *values)))


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
