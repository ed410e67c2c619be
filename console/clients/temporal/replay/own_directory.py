"""The directory that a replay writes into: how much is in it, and deleting all of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Final

_PREFIX: Final = "headroom-replay-"
_YOUNG: Final = 600.0
"""Seconds. Whoever has just made one may not hold it yet."""


class OwnDirectory:
    """A directory of one replay, held for as long as the process lives that made it."""

    def __init__(self) -> None:
        """Makes it, and removes those that processes left which were killed."""
        remove_abandoned(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._held = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Deletes it with all that is in it; never raises."""
        os.close(self._held)
        remove(self.path)


def remove_abandoned(parent: Path) -> None:
    """Deletes the directories of replays whose process is gone without having deleted them."""
    for home in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            opened = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                # In a directory for everybody nobody else can put another in the place of ours.
                facts = os.fstat(opened)
                if facts.st_uid != os.geteuid() or 0 <= time.time() - facts.st_mtime < _YOUNG:
                    continue
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(home)
            finally:
                os.close(opened)


def content(home: Path, *, at_most: int) -> tuple[int, int]:
    """Bytes and number of what is below a directory; not counted on past `at_most`, and more than
    that when something in it cannot be read, such as a path that is too long."""
    size = number = 0
    waiting = [home]
    while waiting:
        try:
            entries = _entries(waiting.pop())
        except FileNotFoundError:
            continue
        except OSError:
            return size, at_most + 1
        number += len(entries)
        if number > at_most:
            return size, number
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
    return size, number


def remove(home: Path) -> None:
    """Deletes a directory that nobody uses any more, however deep it is: what is nested is moved up
    first, so no path gets long. What cannot be deleted stays, and so does what a symbolic link in
    its place leads to; it never raises."""
    if home.is_symlink():
        return
    with contextlib.suppress(OSError):
        while entries := _entries(home):
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _flatten(Path(entry.path), home)
                else:
                    Path(entry.path).unlink()
        home.rmdir()


def _flatten(directory: Path, home: Path) -> None:
    """Deletes one directory; those in it get places in `home`. Raises OSError."""
    directory.chmod(0o700)
    for entry in _entries(directory):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            path.chmod(0o700)  # or it could not be moved
            path.rename(home / secrets.token_hex(16))
        else:
            path.unlink()
    directory.rmdir()


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)
