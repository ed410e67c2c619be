"""The Temporal client: sync methods, plain values, our own errors, bounded time.

Every method raises Unreachable, Throttled, Conflict, Refused or NotFound (console.errors) and
returns within `timeout` seconds. Rates are milli-requests/s and weights milli integers, None means
"no limit". Safe from several threads and across forks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig, UpdateNamespaceInfo
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    DeleteNamespaceRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetSystemInfoRequest,
    ListTaskQueuePartitionsRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)

from console.clients import bridge
from console.clients.contracts import (
    UNCHANGED,
    QueueConfig,
    QueueKind,
    QueueStats,
    RequestCounter,
    TemporalProbe,
    Unchanged,
)
from console.clients.temporal.bucket import TokenBucket
from console.clients.temporal.connection import Access, Connection
from console.clients.temporal.fairness import FairnessProbe
from console.clients.temporal.names import check_namespace, check_queue
from console.clients.temporal.queues import Queues
from console.errors import Conflict, NotFound, Refused

T = TypeVar("T")
LEAST_RETENTION: Final = 3600  # seconds; the server refuses less
FAIRNESS_TIMEOUT: Final = 20.0


class TemporalClient:
    """One namespace of one server. `api_key`, `client_cert`, `client_key`, `server_ca` are
    credential references (see console.clients.credentials); `tls` None means TLS if any is given.
    """

    def __init__(
        self,
        address: str,
        namespace: str = "default",
        *,
        tls: bool | None = None,
        api_key: str = "",
        client_cert: str = "",
        client_key: str = "",
        server_ca: str = "",
        server_name: str = "",
        timeout: float = 10.0,
    ) -> None:
        self.address = address
        self.namespace = check_namespace(namespace)
        self._timeout = timeout
        access = Access(address, tls, api_key, client_cert, client_key, server_ca, server_name)
        self._connection = Connection(access)
        # The server allows this namespace a burst of 100 configuration changes, then 10 a second.
        self._queues = Queues(self._connection, namespace, TokenBucket(burst=100, rate=10.0))

    def __repr__(self) -> str:
        return f"TemporalClient({self.address!r}, {self.namespace!r})"

    @property
    def counter(self) -> RequestCounter:
        """Requests sent so far by this client in this process."""
        return self._connection.counter

    def close(self) -> None:
        """Drop the connection; a later call opens another."""
        bridge.run(self._connection.close, self._timeout)

    # -- looking at the server ---------------------------------------------------------------

    def probe(self) -> TemporalProbe:
        """Latency, version, capabilities, and whether our namespace exists (3 requests)."""

        async def go(deadline: float) -> TemporalProbe:
            await self._system_info(deadline)  # pays for the connection
            begun = time.perf_counter()
            info = await self._system_info(deadline)
            latency = (time.perf_counter() - begun) * 1000
            on = (
                field.name for field, value in info.capabilities.ListFields() if value is True
            )
            exists = await self._namespace_exists(self.namespace, deadline)
            return TemporalProbe(round(latency, 2), info.server_version, frozenset(on), exists)

        return self._run(go)

    def fairness_enabled(self, *, timeout: float = FAIRNESS_TIMEOUT) -> bool | None:
        """Whether fairness keys order the backlog here; None when it cannot be told.

        Costs about 30 requests and 2 s and starts (and removes) probe workflows, so keep the
        answer. How it works: console.clients.temporal.fairness.
        """

        async def go(deadline: float) -> bool | None:
            return await FairnessProbe(self._connection, self.namespace, deadline).run()

        return self._run(go, timeout)

    # -- namespaces --------------------------------------------------------------------------

    def namespace_exists(self, name: str = "") -> bool:
        """Whether a namespace (ours if none is named) is there."""
        return self._run(lambda end: self._namespace_exists(name or self.namespace, end))

    def register_namespace(
        self,
        name: str = "",
        *,
        retention: int,
        description: str = "",
        owner_email: str = "",
        data: Mapping[str, str] | None = None,
    ) -> bool:
        """Create a namespace with `retention` in seconds (>= 3600); False when it existed."""
        request = RegisterNamespaceRequest(
            namespace=check_namespace(name or self.namespace),
            description=description,
            owner_email=owner_email,
            workflow_execution_retention_period=_retention(retention),
            data=dict(data or {}),
        )

        async def go(deadline: float) -> bool:
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
            return True

        return self._run(go)

    def update_namespace(
        self,
        name: str = "",
        *,
        retention: int | None = None,
        description: str | None = None,
        owner_email: str | None = None,
        data: Mapping[str, str] | None = None,
    ) -> None:
        """Change a namespace; None leaves a value as it is, `data` is merged by the server."""
        request = UpdateNamespaceRequest(namespace=check_namespace(name or self.namespace))
        if description is not None or owner_email is not None or data:
            request.update_info.CopyFrom(
                UpdateNamespaceInfo(
                    description=description or "",
                    owner_email=owner_email or "",
                    data=dict(data or {}),
                )
            )
        if retention is not None:
            request.config.CopyFrom(
                NamespaceConfig(workflow_execution_retention_ttl=_retention(retention))
            )
        self._run(
            lambda end: self._connection.call(
                lambda client: client.workflow_service.update_namespace,
                request,
                what=f"update namespace {request.namespace}",
                deadline=end,
                write=True,
            )
        )

    def delete_namespace(self, name: str = "") -> bool:
        """Delete a namespace with everything in it; False when there was none."""
        request = DeleteNamespaceRequest(namespace=check_namespace(name or self.namespace))

        async def go(deadline: float) -> bool:
            try:
                await self._connection.call(
                    lambda client: client.operator_service.delete_namespace,
                    request,
                    what=f"delete namespace {request.namespace}",
                    deadline=deadline,
                    write=True,
                )
            except Refused:
                # The operator service calls a missing namespace an invalid argument.
                if await self._namespace_exists(request.namespace, deadline):
                    raise
                return False
            return True

        return self._run(go)

    def ensure_search_attributes(
        self, attributes: Mapping[str, str], *, namespace: str = ""
    ) -> tuple[str, ...]:
        """Add what is missing of {name: type}, e.g. {"TenantId": "Keyword"}; the names added.

        Types: Text, Keyword, Int, Double, Bool, Datetime, KeywordList. Refused (code
        `search_attribute_type`) when a name exists with another type: the server would say OK and
        change nothing.
        """
        wanted = {name: _search_type(kind) for name, kind in attributes.items()}
        where = namespace or self.namespace

        async def go(deadline: float) -> tuple[str, ...]:
            there = await self._connection.call(
                lambda client: client.operator_service.list_search_attributes,
                ListSearchAttributesRequest(namespace=where),
                what="list search attributes",
                deadline=deadline,
            )
            missing = _missing(wanted, dict(there.custom_attributes))
            if missing:
                await self._connection.call(
                    lambda client: client.operator_service.add_search_attributes,
                    AddSearchAttributesRequest(namespace=where, search_attributes=missing),
                    what="add search attributes",
                    deadline=deadline,
                    write=True,
                )
            return tuple(missing)

        return self._run(go)

    # -- task queues -------------------------------------------------------------------------

    def queue_config(self, queue: str, kind: QueueKind = QueueKind.ACTIVITY) -> QueueConfig:
        """What a task queue enforces now. A queue that nobody used yet has no limits."""
        return self._run(lambda end: self._queues.config(queue, kind, end))

    def queue_stats(self, queue: str, kind: QueueKind = QueueKind.ACTIVITY) -> QueueStats:
        """Backlog, rates and pollers, up to 5 s old. Costly on the server: visible queues only."""
        return self._run(lambda end: self._queues.stats(queue, kind, end))

    def partitions(self, queue: str) -> int:
        """How many partitions share the activity queue's rate; a limit below it is inexact."""
        request = ListTaskQueuePartitionsRequest(
            namespace=self.namespace, task_queue=TaskQueue(name=check_queue(queue))
        )

        async def go(deadline: float) -> int:
            answer = await self._connection.call(
                lambda client: client.workflow_service.list_task_queue_partitions,
                request,
                what=f"list partitions of {queue}",
                deadline=deadline,
            )
            return len(answer.activity_task_queue_partitions)

        return self._run(go)

    def update_queue(
        self,
        queue: str,
        *,
        kind: QueueKind = QueueKind.ACTIVITY,
        queue_rate: int | None | Unchanged = UNCHANGED,
        key_default: int | None | Unchanged = UNCHANGED,
        set_weights: Mapping[str, int] | None = None,
        unset_weights: Iterable[str] = (),
        reason: str,
        identity: str,
        timeout: float = 30.0,
    ) -> QueueConfig:
        """Change a task queue's limits; the configuration afterwards (without effective rate).

        Rates in milli-requests/s: None removes, UNCHANGED keeps; a queue rate of 0 pauses the
        queue, a key default of 0 is refused (the server reads it as unlimited). Weights in milli.
        One call sets up to 1000 weights, more are sent in several.
        """
        return self._run(
            lambda end: self._queues.update(
                queue,
                kind,
                queue_rate=queue_rate,
                key_default=key_default,
                set_weights=dict(set_weights or {}),
                unset_weights=list(unset_weights),
                reason=reason,
                identity=identity,
                deadline=end,
            ),
            timeout,
        )

    def nudge_key_default(self, queue: str, *, reason: str, identity: str) -> bool:
        """Release tasks that wait for a weight which was raised meanwhile; False without default.

        After a large raise the server keeps a key's old "next ready" time (1000 s at weight 0.001);
        changing the per-key default by a hair and back makes it reckon anew. Two changes.
        """

        async def go(deadline: float) -> bool:
            return await self._queues.nudge(queue, reason, identity, deadline)

        return self._run(go, 30.0)

    # -- inside ------------------------------------------------------------------------------

    def _run(
        self, call: Callable[[float], Coroutine[Any, Any, T]], timeout: float | None = None
    ) -> T:
        bound = self._timeout if timeout is None else timeout

        async def go() -> T:
            return await call(asyncio.get_running_loop().time() + bound)

        return bridge.run(go, bound)

    async def _system_info(self, deadline: float) -> Any:
        return await self._connection.call(
            lambda client: client.workflow_service.get_system_info,
            GetSystemInfoRequest(),
            what="read the server's version",
            deadline=deadline,
        )

    async def _namespace_exists(self, name: str, deadline: float) -> bool:
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


def _retention(seconds: int) -> Duration:
    if seconds < LEAST_RETENTION:
        raise Refused(f"retention is at least {LEAST_RETENTION} s, not {seconds}", code="invalid")
    return Duration(seconds=seconds)


def _search_type(name: str) -> IndexedValueType.ValueType:
    full = "".join(f"_{letter}" if letter.isupper() else letter for letter in name)
    try:
        return IndexedValueType.Value(f"INDEXED_VALUE_TYPE{full}".upper())
    except ValueError:
        raise Refused(f"{name!r} is no search attribute type", code="invalid") from None


def _missing(
    wanted: Mapping[str, IndexedValueType.ValueType], there: Mapping[str, int]
) -> dict[str, IndexedValueType.ValueType]:
    for name, kind in wanted.items():
        if name in there and there[name] != kind:
            raise Refused(
                f"search attribute {name} exists with another type", code="search_attribute_type"
            )
    return {name: kind for name, kind in wanted.items() if name not in there}
