"""The readers that are compared, each in a process of its own: `plain ADDRESS`, `together ADDRESS`,
`ours SLUG`. Prints seconds and the largest resident set in MiB as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from typing import Any, Final

import django
from django.core.management import call_command
from temporalio.client import Client, WorkflowExecution

EVENTS_EACH: Final = 11
AT_ONCE: Final = 8


async def _plain(client: Client) -> int:
    """What one would write with the SDK: list, and fetch each."""
    count = 0
    async for execution in client.list_workflows(page_size=1000):
        await _fetch(client, execution)
        count += 1
    return count


async def _together(client: Client) -> int:
    """The same with several fetches under way at once."""
    listed = [execution async for execution in client.list_workflows(page_size=1000)]
    work = iter(listed)

    async def some() -> None:
        for execution in work:
            await _fetch(client, execution)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return len(listed)


async def _fetch(client: Client, execution: WorkflowExecution) -> None:
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    history = await handle.fetch_history()
    if len(history.events) != EVENTS_EACH:
        raise AssertionError(f"{execution.id} has {len(history.events)} events")


async def _listed(what: str, address: str) -> dict[str, Any]:
    client = await Client.connect(address)
    begun = time.perf_counter()
    await (_plain if what == "plain" else _together)(client)
    return {"seconds": time.perf_counter() - begun}


def _measured(what: str, where: str) -> dict[str, Any]:
    if what != "ours":
        return asyncio.run(_listed(what, where))
    begun = time.perf_counter()
    call_command("ingest", "--once", "--target", where)
    return {"seconds": time.perf_counter() - begun}


if __name__ == "__main__":
    django.setup()
    figures = _measured(sys.argv[1], sys.argv[2])
    figures["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the SDK's threads may crash an orderly end of the interpreter
