"""Tries to reach the network while it is imported, and says how that went."""

import asyncio
import os
import socket
import sys
import urllib.request

from temporalio import workflow

tried = []
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
        tried.append(f"{family.name} open")
    except OSError as error:
        tried.append(f"{family.name} {type(error).__name__}")
try:
    urllib.request.urlopen("http://127.0.0.1:1/", timeout=1)
except OSError as error:
    tried.append(f"url {error}")
print("noise on standard output", flush=True)
print("noise on standard error", file=sys.stderr, flush=True)
tried.append("secret seen" if "SECRET_KEY" in os.environ else "no secret")
asyncio.new_event_loop().close()


@workflow.defn(name="; ".join(tried))
class Tried:
    """Its name carries the findings."""

    @workflow.run
    async def run(self) -> None:
        """Nothing."""
