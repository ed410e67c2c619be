"""Sample workloads that really run, on four engines, ending in every way there is.

Run by `make demo` as `python -m deploy.demo.workloads`; reads HEADROOM_DEMO_TEMPORAL,
HEADROOM_DEMO_KUBECONFIG and HEADROOM_DEMO_CELERY. A server that is away is waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from deploy.demo.sample import load
from deploy.demo.workloads.argo_workflows import argo_side
from deploy.demo.workloads.celery_senders import celery_side
from deploy.demo.workloads.kubernetes_jobs import kubernetes_side
from deploy.demo.workloads.temporal_runs import temporal_side


async def keep(name: str, make: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    """Runs a loop again after it failed: a server that restarts must not end the demo."""
    while True:
        try:
            await make(*arguments)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round may work
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:160]}", flush=True)
            await asyncio.sleep(5)


async def replay_side() -> None:
    """Asks Headroom for replays once enough has run: a process of its own, which has Django."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "deploy.demo.seed.replays")
    try:
        await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        raise


async def main() -> None:
    """Runs all sides until a signal."""
    sample = load()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    sides = [
        asyncio.ensure_future(
            keep("temporal", temporal_side, sample, os.environ["HEADROOM_DEMO_TEMPORAL"], keep)
        ),
        asyncio.ensure_future(
            keep(
                "kubernetes",
                kubernetes_side,
                sample,
                os.environ["HEADROOM_DEMO_KUBECONFIG"],
                keep,
            )
        ),
        asyncio.ensure_future(celery_side(sample, keep)),
        asyncio.ensure_future(replay_side()),
        asyncio.ensure_future(
            keep("argo", argo_side, sample, os.environ["HEADROOM_DEMO_KUBECONFIG"], keep)
        ),
    ]
    await stop.wait()
    for side in sides:
        side.cancel()
    await asyncio.gather(*sides, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
    # The Temporal SDK's threads can crash the interpreter on its way out; there is nothing left
    # to do, so leave without it.
    os._exit(0)
