"""Namespaces and their search attributes, as coroutines. `deadline` is in the loop's time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    DeleteNamespaceRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    ListTaskQueuePartitionsRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)

from console.clients.temporal.connection import Connection
from console.errors import Conflict, ExternalError, NotFound, Refused

LEAST_RETENTION: Final = 3600  # seconds; the server refuses less
KNOWN_PAUSE: Final = 0.1
SearchTypes = Mapping[str, IndexedValueType.ValueType]


class Namespaces:
    """The namespaces of one server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def exists(self, name: str, deadline: float) -> bool:
        """Whether there is a namespace of that name."""
        try:
            await self._connection.call(
                lambda client: client.workflow_service.describe_namespace,
                DescribeNamespaceRequest(namespace=name),
                what=f"describe namespace {name}",
                deadline=deadline,
            )
        except NotFound:
            return False
        return True

    async def retention(self, name: str, deadline: float) -> int | None:
        """Seconds for which closed runs are kept; None where the server does not say."""
        answer = await self._connection.call(
            lambda client: client.workflow_service.describe_namespace,
            DescribeNamespaceRequest(namespace=name),
            what=f"look up namespace {name}",
            deadline=deadline,
        )
        return answer.config.workflow_execution_retention_ttl.seconds or None

    async def register(self, request: RegisterNamespaceRequest, deadline: float) -> bool:
        """Create a namespace; False when it existed."""
        try:
            await self._connection.call(
                lambda client: client.workflow_service.register_namespace,
                request,
                what=f"register namespace {request.namespace}",
                deadline=deadline,
                write=True,
            )
        except Conflict as conflict:
            if conflict.retryable:
                raise
            return False
        await self._until_known(request.namespace, deadline)
        return True

    async def _until_known(self, name: str, deadline: float) -> None:
        """Wait until the new namespace can be used, but not past the deadline.

        Frontends remember for about a second that a name was unknown (seen: NOT_FOUND for up to
        1 s after the registration when somebody had asked before); then the next call would fail.
        """
        request = ListTaskQueuePartitionsRequest(
            namespace=name, task_queue=TaskQueue(name="headroom-ready")
        )
        loop = asyncio.get_running_loop()
        while loop.time() + KNOWN_PAUSE < deadline:
            try:
                await self._connection.call(
                    lambda client: client.workflow_service.list_task_queue_partitions,
                    request,
                    what=f"wait for namespace {name}",
                    deadline=deadline,
                )
            except NotFound:
                await asyncio.sleep(KNOWN_PAUSE)
            except ExternalError:
                return  # it is registered; whether it can be read is not our question
            else:
                return

    async def update(self, request: UpdateNamespaceRequest, deadline: float) -> None:
        """Change a namespace."""
        await self._connection.call(
            lambda client: client.workflow_service.update_namespace,
            request,
            what=f"update namespace {request.namespace}",
            deadline=deadline,
            write=True,
        )

    async def delete(self, name: str, deadline: float) -> bool:
        """Delete a namespace; False when there was none."""
        try:
            await self._connection.call(
                lambda client: client.operator_service.delete_namespace,
                DeleteNamespaceRequest(namespace=name),
                what=f"delete namespace {name}",
                deadline=deadline,
                write=True,
            )
        except Refused:
            # The operator service calls a missing namespace an invalid argument.
            if await self.exists(name, deadline):
                raise
            return False
        return True

    async def add_attributes(
        self, namespace: str, wanted: SearchTypes, deadline: float
    ) -> tuple[str, ...]:
        """Add the search attributes that are missing and return their names."""
        there = await self._connection.call(
            lambda client: client.operator_service.list_search_attributes,
            ListSearchAttributesRequest(namespace=namespace),
            what="list search attributes",
            deadline=deadline,
        )
        missing = _missing(wanted, dict(there.custom_attributes))
        if missing:
            await self._connection.call(
                lambda client: client.operator_service.add_search_attributes,
                AddSearchAttributesRequest(namespace=namespace, search_attributes=missing),
                what="add search attributes",
                deadline=deadline,
                write=True,
            )
        return tuple(missing)


def retention_of(seconds: int) -> Duration:
    """A retention period. Refused below an hour."""
    if seconds < LEAST_RETENTION:
        raise Refused(f"retention is at least {LEAST_RETENTION} s, not {seconds}", code="invalid")
    return Duration(seconds=seconds)


def search_type(name: str) -> IndexedValueType.ValueType:
    """The wire value of `Keyword`, `KeywordList` …"""
    full = "".join(f"_{letter}" if letter.isupper() else letter for letter in name)
    try:
        return IndexedValueType.Value(f"INDEXED_VALUE_TYPE{full}".upper())
    except ValueError:
        raise Refused(f"{name!r} is no search attribute type", code="invalid") from None


def _missing(
    wanted: SearchTypes, there: Mapping[str, int]
) -> dict[str, IndexedValueType.ValueType]:
    for name, kind in wanted.items():
        if name in there and there[name] != kind:
            raise Refused(
                f"search attribute {name} exists with another type", code="search_attribute_type"
            )
    return {name: kind for name, kind in wanted.items() if name not in there}
