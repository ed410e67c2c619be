"""What `manage.py check` says of the machine."""

from __future__ import annotations

import pytest

from console import checks
from console.clients.temporal.replay import landlock


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (0, "this kernel has no Landlock, so the code of a bundle can read and write"),
        (2, "this kernel has only version 2 of Landlock, so the code of a bundle can empty files"),
    ],
)
def test_a_kernel_that_cannot_confine_replays_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, version: int, words: str
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: version)
    (warning,) = checks.replays()
    assert (warning.id, warning.is_serious()) == ("console.W004", False)
    assert words in warning.msg


def test_a_kernel_that_can_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "version", lambda: landlock.WHOLE)
    assert checks.replays() == []
