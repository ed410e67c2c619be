from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from console.clients import bridge
from console.errors import Unreachable
from tests.waiting import HANGS, PATIENCE

ROOT = Path(__file__).resolve().parents[3]


async def _answer() -> str:
    return threading.current_thread().name


def test_a_coroutine_runs_on_the_background_thread() -> None:
    assert bridge.run(_answer, PATIENCE) == "headroom-clients"


def test_a_coroutine_that_hangs_is_given_up_in_time() -> None:
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
        bridge.run(lambda: asyncio.sleep(HANGS), 0.2)  # clock: it hangs
    assert time.monotonic() - begun < PATIENCE


def test_a_coroutine_that_blocks_the_whole_loop_is_given_up_in_time() -> None:
    released = threading.Event()

    async def block() -> None:
        released.wait(HANGS)  # exactly what must not hang us

    begun = time.monotonic()
    with pytest.raises(Unreachable):
        bridge.run(block, 0.1)  # clock: it blocks
    assert time.monotonic() - begun < PATIENCE
    released.set()  # let the loop come back for the next test
    assert bridge.run(_answer, PATIENCE) == "headroom-clients"


def test_a_coroutine_that_ignores_its_cancellation_is_given_up_in_time() -> None:
    released = threading.Event()

    async def stubborn() -> None:
        end = time.monotonic() + HANGS
        while not released.is_set() and time.monotonic() < end:
            try:
                await asyncio.sleep(0.05)  # clock: between looks
            except asyncio.CancelledError:
                continue

    begun = time.monotonic()
    with pytest.raises(Unreachable):
        bridge.run(stubborn, 0.1)  # clock: it goes on
    assert time.monotonic() - begun < PATIENCE
    released.set()


def test_errors_of_the_coroutine_come_out_unchanged() -> None:
    async def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        bridge.run(fail, PATIENCE)


def test_the_loop_must_not_wait_for_itself() -> None:
    async def nested() -> str:
        return bridge.run(_answer, PATIENCE)

    with pytest.raises(RuntimeError, match="must not wait for itself"):
        bridge.run(nested, PATIENCE)


def test_after_a_shut_down_the_next_call_starts_a_new_loop() -> None:
    bridge.shut_down()
    bridge.shut_down()
    assert bridge.run(_answer, PATIENCE) == "headroom-clients"


def test_blocking_work_is_offloaded_with_its_result_and_its_errors() -> None:
    async def work() -> str:
        return await bridge.offload(lambda: threading.current_thread().name)

    async def fail() -> None:
        await bridge.offload(lambda: [][0])

    assert bridge.run(work, PATIENCE) == "headroom-offload"
    with pytest.raises(IndexError):
        bridge.run(fail, PATIENCE)


def _python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def test_offloaded_work_that_hangs_does_not_keep_the_process_from_ending() -> None:
    done = _python(
        "import time\n"
        "from console.clients import bridge\n"
        "async def hang(): await bridge.offload(lambda: time.sleep(600))\n"
        "try: bridge.run(hang, 0.2)\n"
        "except Exception as e: print(type(e).__name__)\n"
    )
    assert (done.returncode, done.stdout) == (0, "Unreachable\n")


def test_a_forked_child_has_a_loop_of_its_own_and_the_parent_keeps_its() -> None:
    done = _python(
        "import os\n"
        "from console.clients import bridge\n"
        "async def pid(): return os.getpid()\n"
        "bridge.run(pid, 100)\n"
        "child = os.fork()\n"
        "assert bridge.run(pid, 100) == os.getpid()\n"
        "if child == 0: bridge.leave(7)\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "print(code, bridge.run(pid, 100) == os.getpid())\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("7 True\n", "", 0)
