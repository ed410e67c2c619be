"""How much is in the directory of a replay, and that it goes, whatever a bundle left there."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from console.clients.temporal.replay.own_directory import (
    OwnDirectory,
    content,
    remove,
    remove_abandoned,
)

DEEPER_THAN_PYTHON_GOES = 3000


def make_deep(home: Path, name: str = "d") -> None:
    """Directories inside one another, further down than any path reaches."""
    opened = os.open(home, os.O_RDONLY)
    for _ in range(DEEPER_THAN_PYTHON_GOES):
        os.mkdir(name, dir_fd=opened)
        inner = os.open(name, os.O_RDONLY, dir_fd=opened)
        os.close(opened)
        opened = inner
    os.close(os.open("file", os.O_CREAT, dir_fd=opened))
    os.close(opened)


def test_what_is_nested_without_end_is_deleted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    make_deep(home)
    remove(home)
    assert not home.exists()


def test_what_a_symbolic_link_means_stays(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    for directory in (home / "a", outside):
        directory.mkdir(parents=True)
    (outside / "file").write_text("kept")
    (outside / "file").chmod(0o400)
    for place in (home, home / "a"):
        (place / "to-directory").symlink_to(outside)
        (place / "to-file").symlink_to(outside / "file")
    (home / "a").chmod(0o500)
    remove(home)
    assert not home.exists()
    assert (outside / "file").read_text() == "kept"
    assert (outside / "file").stat().st_mode & 0o777 == 0o400


def test_a_directory_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    remove(tmp_path / "gone")
    assert content(tmp_path / "gone", at_most=5) == (0, 0)


def test_bytes_and_names_are_counted_and_what_is_linked_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/usr")
    size, number = content(tmp_path, at_most=10)
    assert 100_000 <= size < 200_000
    assert number == 3


def test_what_cannot_be_counted_is_too_much(tmp_path: Path) -> None:
    make_deep(tmp_path, name="d" * 200)
    assert content(tmp_path, at_most=50)[1] > 50
    remove(tmp_path)


def test_what_a_killed_process_left_goes_and_what_a_living_one_holds_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held, young = OwnDirectory(), tmp_path / "headroom-replay-young"
    left, other = tmp_path / "headroom-replay-left", tmp_path / "somebody-elses"
    link = tmp_path / "headroom-replay-link"
    for directory in (young, left / "deep", other):
        directory.mkdir(parents=True)
    (left / "file").write_text("x" * 1000)
    link.symlink_to(other)
    long_ago = time.time() - 3600
    tomorrow = tmp_path / "headroom-replay-tomorrow"
    tomorrow.mkdir()
    os.utime(tomorrow, (time.time() + 86400, time.time() + 86400))
    (other / "file").write_text("kept")
    for directory in (held.path, left, other):
        os.utime(directory, (long_ago, long_ago))
    os.utime(link, (long_ago, long_ago), follow_symlinks=False)
    remove_abandoned(tmp_path)
    assert set(tmp_path.iterdir()) == {held.path, young, other, link}
    held.remove()
    assert not held.path.exists()


def test_in_place_of_a_symbolic_link_nothing_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_text("kept")
    link = tmp_path / "headroom-replay-link"
    link.symlink_to(tmp_path / "theirs")
    remove(link)
    assert (tmp_path / "theirs" / "file").read_text() == "kept"
