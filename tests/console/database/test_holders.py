"""Whether the process behind a claim still runs, told by another one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from console.database import holders
from console.database.holders import has_ended, own_holder

SAY = "from console.database.holders import own_holder; print(own_holder(), flush=True); input()"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """What a test makes this process call itself is no other test's."""
    holders._holder.cache_clear()
    yield
    holders._holder.cache_clear()


def sleeper() -> tuple[subprocess.Popen[str], str]:
    """A process that waits, and what it calls itself."""
    child = subprocess.Popen(
        [sys.executable, "-c", SAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


def changed(holder: str, part: int, text: str) -> str:
    """The same with another host (0), boot (1), namespace (2), number (3) or start (4)."""
    parts = holder.split("|")
    parts[part] = text
    return "|".join(parts)


def test_a_process_that_runs_has_not_ended_and_one_that_was_killed_has() -> None:
    child, holder = sleeper()
    try:
        assert holder
        assert not has_ended(holder)
        child.kill()
        # Nobody has waited for it yet: its number is still taken.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(holder)
        child.wait()
        assert has_ended(holder)
    finally:
        child.kill()
        child.communicate()


def test_another_process_that_got_the_number_is_not_the_holder() -> None:
    assert not has_ended(own_holder())
    assert has_ended(changed(own_holder(), 4, "1"))


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "another-host"),  # clones of a virtual machine share the boot and the namespace
        (1, "00000000-0000-0000-0000-000000000000"),
        (2, "pid:[1]"),  # each container has a process 1 of its own
    ],
)
def test_of_another_host_boot_or_container_nothing_is_known(part: int, text: str) -> None:
    gone = changed(own_holder(), 4, "1")
    assert has_ended(gone)
    assert not has_ended(changed(gone, part, text))


@pytest.mark.parametrize("junk", ["", "|", "a|b|c|d", "x" * 300, "²|²|²|²|²"])
def test_what_no_process_wrote_says_nothing(junk: str) -> None:
    assert not has_ended(junk)


@pytest.mark.parametrize("number", ["0", "-1", "²", "99999999999999999999", ""])
def test_a_number_that_is_none_says_nothing(number: str) -> None:
    assert not has_ended(changed(own_holder(), 3, number))


def test_a_process_of_somebody_else_that_proc_hides_is_taken_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child, holder = sleeper()
    try:
        monkeypatch.setattr(holders, "_began", lambda pid: "7" if pid == os.getpid() else None)
        assert not has_ended(holder)
    finally:
        child.kill()
        child.communicate()


def test_a_machine_that_says_too_little_names_no_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "_sees_itself", lambda pid: False)
    assert own_holder() == ""
    monkeypatch.undo()
    holders._holder.cache_clear()
    assert own_holder()
