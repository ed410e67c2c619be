from __future__ import annotations

import os
import signal
import subprocess
import sys

from deploy.demo.stack.signal_wait import SignalWait

TOO_LONG = 600.0
"""Seconds: a pause that nothing ends fails by the limit of a test."""


def test_the_death_of_a_child_ends_the_pause() -> None:
    with SignalWait() as pause:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        child.kill()
        pause.wait(TOO_LONG)
        assert child.wait() == -signal.SIGKILL


def test_a_signal_that_came_before_the_pause_ends_it() -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: got.append(number))
    try:
        with SignalWait() as pause:
            os.kill(os.getpid(), signal.SIGUSR1)
            pause.wait(TOO_LONG)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == [signal.SIGUSR1]


def test_a_pause_ends_by_itself_and_what_woke_it_is_not_heard_twice() -> None:
    with SignalWait() as pause:
        subprocess.run([sys.executable, "-c", ""], check=True)
        assert pause.wait(TOO_LONG)
        assert not pause.wait(0.01)  # clock: nothing comes


def test_it_leaves_the_process_as_it_was() -> None:
    handler = signal.getsignal(signal.SIGCHLD)
    with SignalWait():
        assert signal.getsignal(signal.SIGCHLD) is not handler
    assert signal.getsignal(signal.SIGCHLD) is handler
    assert signal.set_wakeup_fd(-1) == -1
