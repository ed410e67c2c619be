"""One background event loop per process, so that sync code can use async clients in bounded time.

The loop belongs to the process that started it: after a fork (Celery prefork, granian workers) the
child has no such thread, so it starts its own on first use and never touches what it inherited.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from console import deadline
from console.errors import OutOfTime, Unreachable

T = TypeVar("T")

# How much longer than the deadline the calling thread waits for the loop to notice it itself.
GRACE = 1.0
MARGIN = 0.2


class _Bridge:
    """An event loop in a daemon thread of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(
            target=self.loop.run_forever, name="headroom-clients", daemon=True
        )
        self.thread.start()

    def stop(self) -> None:
        """Cancel what runs and join the thread: no callback may meet a dying interpreter."""
        if self.loop.is_closed():
            return
        with contextlib.suppress(RuntimeError, concurrent.futures.TimeoutError):
            asyncio.run_coroutine_threadsafe(_cancel_everything(), self.loop).result(GRACE)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(GRACE)
        if not self.thread.is_alive():
            self.loop.close()


async def _cancel_everything() -> None:
    for close in list(_closers):
        with contextlib.suppress(Exception):
            await close.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Closable(Protocol):
    """Something with connections on this process's loop."""

    async def close(self) -> None:
        """Close them."""


# Asked to close before the loop stops, so that servers see a proper end and nobody a warning.
_closers: weakref.WeakSet[Closable] = weakref.WeakSet()


def closes_at_stop(owner: Closable) -> None:
    """Have `owner.close()` awaited before the loop stops."""
    _closers.add(owner)


def close_soon(close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Await `close()` on this process's loop, if it runs.

    For finalizers: these run in any thread at any moment, so it takes no lock and never waits.
    """
    bridge = _bridge
    if bridge is None or bridge.pid != os.getpid():
        return
    with contextlib.suppress(RuntimeError):  # the loop ends at this very moment, and closes all
        bridge.loop.call_soon_threadsafe(lambda: bridge.loop.create_task(close()))


_lock = threading.Lock()
_bridge: _Bridge | None = None
# Loops of parent processes. Kept so that no finalizer closes what the parent still uses.
_inherited: list[_Bridge] = []


def _forget_after_fork() -> None:
    global _lock, _bridge
    # Another thread may have held the lock at the moment of the fork.
    _lock = threading.Lock()
    if _bridge is not None:
        _inherited.append(_bridge)
        _bridge = None


def _quiet_before_fork() -> None:
    """Let go of native threads: a child forked while they run may crash or hang (seen: SIGSEGV).

    Parent and child connect again with their next call. Only os.fork comes here (Celery's prefork,
    multiprocessing), a subprocess does not.
    """
    if _bridge is not None and _bridge.pid == os.getpid():
        shut_down()


os.register_at_fork(before=_quiet_before_fork, after_in_child=_forget_after_fork)


def _current() -> _Bridge:
    global _bridge
    with _lock:
        if _bridge is None or not _bridge.thread.is_alive():
            _bridge = _Bridge()
        return _bridge


def submit(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start a coroutine on this process's loop and return its future at once."""
    bridge = _current()
    if threading.current_thread() is bridge.thread:
        coroutine.close()
        raise RuntimeError("the clients' own event loop must not wait for itself")
    return asyncio.run_coroutine_threadsafe(coroutine, bridge.loop)


def run(coro_fn: Callable[[], Coroutine[Any, Any, T]], timeout: float) -> T:
    """Run `coro_fn()` on the background loop and return its result within `timeout` seconds, or
    what is left of the request that waits for it.

    Raises Unreachable when the time is over, whatever the target or even the loop itself does.
    """
    own, timeout = timeout, deadline.bounded(timeout)
    # Whoever knows its deadline may say itself what took too long, hence the margin.
    future = submit(asyncio.wait_for(coro_fn(), timeout + MARGIN))
    try:
        return future.result(timeout + GRACE)
    except TimeoutError:
        future.cancel()
        kind = Unreachable if timeout == own else OutOfTime
        raise kind(f"no answer within {timeout:.2g} s") from None
    except concurrent.futures.CancelledError:
        raise Unreachable("the call was cancelled because the process is stopping") from None


async def offload(blocking: Callable[[], T]) -> T:
    """Run a blocking function (file, credential plugin) in a daemon thread.

    Not the loop's executor: its threads are joined at exit, so that one hanging plugin would keep
    the whole process from ending.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # T may itself be None

    def work() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = blocking()
        except Exception as caught:  # noqa: BLE001  # handed over to whoever awaits
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="headroom-offload", daemon=True).start()
    return await future


def shut_down() -> None:
    """Stop this process's loop; the next call starts a new one. Safe to call at any time."""
    global _bridge
    with _lock:
        bridge, _bridge = _bridge, None
    if bridge is not None and bridge.pid == os.getpid():
        bridge.stop()
        # Native clients free their Python callbacks here and not inside interpreter shutdown,
        # where the same thing ends in SIGSEGV.
        gc.collect()


def leave(code: int = 0) -> None:
    """End this process for good, without interpreter shutdown (short scripts, subprocesses)."""
    shut_down()
    time.sleep(0.05)
    os._exit(code)


atexit.register(shut_down)
