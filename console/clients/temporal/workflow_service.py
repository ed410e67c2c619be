"""One RPC of the workflow service by name, for what people do and ask through a client."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import Message

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import ATTEMPTS
from console.errors import Conflict, NotFound

_READS: Final = ("get_", "count_", "list_", "describe_")


async def call(
    client: TemporalClient,
    method: str,
    request: Message,
    what: str,
    deadline: float,
    *,
    attempts: int = ATTEMPTS,
) -> Any:
    """One RPC of the workflow service. A run that has ended is a Conflict, not a NotFound."""

    def select(service: Any) -> Any:
        return getattr(service.workflow_service, method)

    try:
        return await client.connection.call(
            select,
            request,
            what=what,
            deadline=deadline,
            write=not method.startswith(_READS),
            attempts=attempts,
        )
    except NotFound as problem:
        if "workflow execution already completed" in problem.message:
            raise Conflict(f"{what}: the run has ended already") from None
        raise
