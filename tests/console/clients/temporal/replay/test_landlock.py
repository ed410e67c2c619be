"""Kernels without it, or with less of it: what is not confined is said not to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import linux
from console.clients.temporal.replay import landlock


def kernel(monkeypatch: pytest.MonkeyPatch, version: int, *, refuses: int = 0) -> list[int]:
    """A kernel with that version of it, which refuses one call; the numbers of the calls made."""
    calls: list[int] = []

    def call(number: int, *arguments: int | bytes | None) -> int:
        calls.append(number)
        if version == 0 or number == refuses:
            raise OSError(38, "Function not implemented")
        asked_for_version = arguments[0] is None
        return version if asked_for_version else 1_000_000

    monkeypatch.setattr(linux, "call", call)
    monkeypatch.setattr("os.close", lambda _descriptor: None)
    return calls


@pytest.mark.parametrize(("version", "whole"), [(0, False), (1, False), (2, False), (3, True)])
def test_it_is_whole_from_version_3_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int, *, whole: bool
) -> None:
    kernel(monkeypatch, version)
    assert landlock.version() == version
    assert landlock.restrict(readable=[tmp_path], writable=[]) is whole


@pytest.mark.parametrize("refused", [444, 445, 446])
def test_a_call_that_is_refused_is_not_taken_for_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: int
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 7)
    calls = kernel(monkeypatch, 7, refuses=refused)
    assert landlock.restrict(readable=[tmp_path], writable=[]) is False
    assert calls[-1] == refused


def test_a_place_that_is_not_there_needs_no_rule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = kernel(monkeypatch, 7)
    assert landlock.restrict(readable=[tmp_path / "gone"], writable=[]) is True
    assert 445 not in calls
