"""The Temporal client: sync methods, plain values, our own errors, bounded time.

Every method raises Unreachable, Throttled, Conflict, Refused or NotFound (console.errors) and
returns within `timeout` seconds. Rates are milli-requests/s and weights milli integers, None means
"no limit". Safe from several threads and across forks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Final, TypeVar

from temporalio.api.namespace.v1 import NamespaceConfig, UpdateNamespaceInfo
from temporalio.api.workflowservice.v1 import (
    GetSystemInfoRequest,
    GetSystemInfoResponse,
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
from console.clients.temporal.connection import Access, Connection
from console.clients.temporal.fairness import FairnessProbe
from console.clients.temporal.name_checks import check_namespace
from console.clients.temporal.namespaces import Namespaces, retention_of, search_type
from console.clients.temporal.queues import Queues
from console.clients.temporal.token_bucket import TokenBucket

T = TypeVar("T")
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
        self._namespaces = Namespaces(self._connection)
        # The server allows this namespace a burst of 100 configuration changes, then 10 a second.
        self._queues = Queues(self._connection, namespace, TokenBucket(burst=100, rate=10.0))

    def __repr__(self) -> str:
        return f"TemporalClient({self.address!r}, {self.namespace!r})"

    @property
    def counter(self) -> RequestCounter:
        """Requests sent so far by this client in this process."""
        return self._connection.counter

    @property
    def connection(self) -> Connection:
        """The connection, for the other verbs of this package that work through this client."""
        return self._connection

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
            on = (field.name for field, value in info.capabilities.ListFields() if value is True)
            exists = await self._namespaces.exists(self.namespace, deadline)
            return TemporalProbe(round(latency, 2), info.server_version, frozenset(on), exists)

        return self.run(go)

    def fairness_enabled(self, *, timeout: float = FAIRNESS_TIMEOUT) -> bool | None:
        """Whether fairness keys order the backlog here; None when it cannot be told.

        Costs about 30 requests and 2 s and starts (and removes) probe workflows, so keep the
        answer. How it works: console.clients.temporal.fairness.
        """

        async def go(deadline: float) -> bool | None:
            return await FairnessProbe(self._connection, self.namespace, deadline).run()

        return self.run(go, timeout)

    # -- namespaces --------------------------------------------------------------------------

    def namespace_exists(self, name: str = "") -> bool:
        """Whether a namespace (ours if none is named) is there."""
        return self.run(lambda end: self._namespaces.exists(name or self.namespace, end))

    def retention(self) -> int | None:
        """Seconds for which our namespace keeps closed runs; None where it does not say."""
        return self.run(lambda end: self._namespaces.retention(self.namespace, end))

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
            workflow_execution_retention_period=retention_of(retention),
            data=dict(data or {}),
        )
        return self.run(lambda end: self._namespaces.register(request, end))

    def update_namespace(
        self,
        name: str = "",
        *,
        retention: int | None = None,
        description: str = "",
        owner_email: str = "",
        data: Mapping[str, str] | None = None,
    ) -> None:
        """Change a namespace; what is not given stays, `data` is merged by the server."""
        request = UpdateNamespaceRequest(namespace=check_namespace(name or self.namespace))
        if description or owner_email or data:
            request.update_info.CopyFrom(
                UpdateNamespaceInfo(
                    description=description, owner_email=owner_email, data=dict(data or {})
                )
            )
        if retention is not None:
            request.config.CopyFrom(
                NamespaceConfig(workflow_execution_retention_ttl=retention_of(retention))
            )
        self.run(lambda end: self._namespaces.update(request, end))

    def delete_namespace(self, name: str = "") -> bool:
        """Delete a namespace with everything in it; False when there was none."""
        where = check_namespace(name or self.namespace)
        return self.run(lambda end: self._namespaces.delete(where, end))

    def ensure_search_attributes(
        self, attributes: Mapping[str, str], *, namespace: str = ""
    ) -> tuple[str, ...]:
        """Add what is missing of {name: type}, e.g. {"TenantId": "Keyword"}; the names added.

        Types: Text, Keyword, Int, Double, Bool, Datetime, KeywordList. Refused (code
        `search_attribute_type`) when a name exists with another type: the server would say OK and
        change nothing.
        """
        wanted = {name: search_type(kind) for name, kind in attributes.items()}
        where = namespace or self.namespace
        return self.run(lambda end: self._namespaces.add_attributes(where, wanted, end))

    # -- task queues -------------------------------------------------------------------------

    def queue_config(self, queue: str, kind: QueueKind = QueueKind.ACTIVITY) -> QueueConfig:
        """What a task queue enforces now. A queue that nobody used yet has no limits."""
        return self.run(lambda end: self._queues.config(queue, kind, end))

    def queue_stats(self, queue: str, kind: QueueKind = QueueKind.ACTIVITY) -> QueueStats:
        """Backlog, rates and pollers, up to 5 s old. Costly on the server: visible queues only."""
        return self.run(lambda end: self._queues.stats(queue, kind, end))

    def partitions(self, queue: str) -> int:
        """How many partitions share the activity queue's rate; a limit below it is inexact."""
        return self.run(lambda end: self._queues.partitions(queue, end))

    def update_queue(
        self,
        queue: str,
        *,
        kind: QueueKind = QueueKind.ACTIVITY,
        queue_rate: int | Unchanged | None = UNCHANGED,
        key_default: int | Unchanged | None = UNCHANGED,
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
        return self.run(
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

        return self.run(go, 30.0)

    # -- inside ------------------------------------------------------------------------------

    def run(
        self, call: Callable[[float], Coroutine[object, None, T]], timeout: float | None = None
    ) -> T:
        """Runs `call(deadline)` on the bridge's loop within `timeout` seconds (None: our own)."""
        bound = self._timeout if timeout is None else timeout

        async def go() -> T:
            return await call(asyncio.get_running_loop().time() + bound)

        return bridge.run(go, bound)

    async def _system_info(self, deadline: float) -> GetSystemInfoResponse:
        return await self._connection.call(
            lambda client: client.workflow_service.get_system_info,
            GetSystemInfoRequest(),
            what="read the server's version",
            deadline=deadline,
        )
