"""Which files a process reaches: Linux's Landlock, a filter of paths that a process puts on itself
and never gets off again (landlock(7)). It holds for root, and for processes of others in /proc too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from console import linux

WHOLE: Final = 3
"""The version (Linux 6.2) from which no file outside can be changed in any way. Before it, files
that may be read can be emptied where their permissions allow that; before 1 there is none."""

# The same numbers on every architecture.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_REMOVE_DIR: Final = 1 << 4
_REMOVE_FILE: Final = 1 << 5
_MAKE_DIR: Final = 1 << 7
_MAKE_REG: Final = 1 << 8
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
# All rights of files that each version knows, as the number of its bits.
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

_READ: Final = _READ_FILE | _READ_DIR
# No symbolic links, sockets, pipes or devices: whoever clears the directory meets files only.
_WRITE: Final = (
    _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
)
# Version 4: TCP; version 6: signals and abstract sockets. Nothing of it is allowed to anybody.
_ANY_TCP: Final = 0b11
_ANY_SCOPE: Final = 0b11


def version() -> int:
    """What this kernel has of it; 0 for none."""
    if sys.platform != "linux":
        return 0
    try:
        return linux.call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def restrict(*, readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Only these places, and what is below them, from here on, for this thread and those that it
    starts; what is open stays open. True when that is the whole truth: see WHOLE. The process must
    not be able to get new privileges (PR_SET_NO_NEW_PRIVS)."""
    known = version()
    if known < 1:
        return False
    rights = (1 << _RIGHTS.get(known, _RIGHTS[5])) - 1
    attributes = struct.pack("=Q", rights)
    if known >= 4:
        attributes += struct.pack("=Q", _ANY_TCP)
    if known >= 6:
        attributes += struct.pack("=Q", _ANY_SCOPE)
    try:
        ruleset = linux.call(_CREATE_RULESET, attributes, len(attributes), 0)
    except OSError:
        return False
    try:
        for allowed, places in ((_READ, readable), (_WRITE, writable)):
            for place in places:
                _allow(ruleset, place, allowed & rights)
        linux.call(_RESTRICT_SELF, ruleset, 0)
    except OSError:
        return False
    finally:
        os.close(ruleset)
    return known >= WHOLE


def _allow(ruleset: int, place: Path, allowed: int) -> None:
    """A place that is not there needs no rule. Raises OSError."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(opened).st_mode):
                allowed &= _OF_FILES
            linux.call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, opened), 0)
        except OSError as error:
            # A file of a kind that cannot be named in a rule: it stays out of reach.
            if error.errno not in {errno.EBADFD, errno.EINVAL}:
                raise
        finally:
            os.close(opened)
