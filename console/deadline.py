"""How long what a request asks of other systems may still take: one bound for all of it together.

Pure: clients read it, the middleware sets it, and whoever hands work to threads hands it on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, Final, ParamSpec, TypeVar

from console.errors import OutOfTime, Unreachable

P = ParamSpec("P")
T = TypeVar("T")

RESERVE: Final = 1.0
"""Seconds of a request that no read of a target gets: for writing down, and for telling workers."""
GRACE: Final = 0.5
"""Seconds more than clients have, as they know better what there was no answer to."""

_ends: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All calls in the block together take so long; a bound that is there already holds too."""
    ends = time.monotonic() + seconds
    outer = _ends.get()
    token = _ends.set(ends if outer is None else min(ends, outer))
    try:
        yield
    finally:
        _ends.reset(token)


def left() -> float | None:
    """Seconds that are left, at least 0; None where nobody waits."""
    ends = _ends.get()
    return None if ends is None else max(ends - time.monotonic(), 0.0)


def is_over() -> bool:
    """Whether no other system is waited for any more."""
    remaining = left()
    return remaining is not None and remaining <= RESERVE


def was_cut_short(error: BaseException) -> bool:
    """Whether there was no answer because the request could not wait: the system may only be slow.
    Clients that keep their own time say only that nothing came."""
    return isinstance(error, OutOfTime) or (isinstance(error, Unreachable) and is_over())


def bounded(timeout: float) -> float:
    """`timeout` of one call to another system, or what is left for it. Raises OutOfTime when that
    is nothing."""
    remaining = left()
    if remaining is None:
        return timeout
    if remaining <= RESERVE:
        raise OutOfTime("there was no time left for it in this request")
    return min(timeout, remaining - RESERVE)


def in_time(call: Callable[[], T]) -> T:
    """What `call` gives, for clients that bound each thing they ask and not all of them together.
    It may work in a thread of its own, so it must not use the database. Raises OutOfTime when the
    request cannot wait any longer: `call` is left to its own timeouts then, and may still do it."""
    if left() is None:
        return call()
    pool = ContextPool(max_workers=1, thread_name_prefix="in-time")
    try:
        return result_in_time(pool.submit(call))
    finally:
        pool.shutdown(wait=False)


def result_in_time(future: Future[T]) -> T:
    """What a thread gives. Raises OutOfTime when the request cannot wait for it any longer."""
    remaining = left()
    if remaining is None:
        return future.result()
    wait([future], timeout=max(remaining - RESERVE + GRACE, 0.0))
    if not future.done():
        raise OutOfTime("no answer in time")
    return future.result()


class ContextPool(ThreadPoolExecutor):
    """Threads that work for whoever submits: under the same deadline and the same request id."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As ThreadPoolExecutor does."""
        context: Any = copy_context()
        return super().submit(context.run, fn, *args, **kwargs)
