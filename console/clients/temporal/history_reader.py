"""Reading runs: visibility, histories and descriptions, as plain values.

Goes to the service directly: the SDK's own list and describe fail on a paused workflow. Every verb
raises Unreachable, Throttled, Refused or NotFound (console.errors) within the client's time.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Final, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent as ProtoEvent
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)

from console.clients import bridge
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import UNDECODABLE
from console.clients.temporal.decoding import decoded
from console.clients.temporal.events import is_closing, room_for, translate
from console.clients.temporal.listing import LARGEST_PAGE, Listing
from console.clients.temporal.records import (
    HistoryEvent,
    RunDescription,
    RunHistory,
    Undecodable,
    VisibilityPage,
)
from console.clients.temporal.runs import run_description, visibility_row
from console.errors import NotFound, Refused, Unreachable

REVERSE_PAGE: Final = 200
READERS: Final = 6
"""Histories fetched at once: enough to keep one core of the server busy beside ours."""
LONG: Final = 60.0
"""Seconds that a page, or a history of many pages, may take."""

T = TypeVar("T")
Ref = tuple[str, str]


class Fetching:
    """Histories that are on their way."""

    def __init__(self, future: concurrent.futures.Future[list[RunHistory | None]]) -> None:
        self._future = future

    def result(self) -> list[RunHistory | None]:
        """All of them in the order in which they were asked for; None for those that are gone."""
        try:
            return self._future.result(LONG + 1)
        except TimeoutError:
            self._future.cancel()
            raise Unreachable(f"no histories within {LONG:g} s") from None
        except concurrent.futures.CancelledError:
            raise Unreachable("the process is stopping") from None

    def cancel(self) -> None:
        """Gives up on them."""
        self._future.cancel()


class HistoryReader:
    """The runs of a client's namespace."""

    def __init__(self, client: TemporalClient) -> None:
        self._client = client
        self._listing = Listing(client)

    def rows(self, query: str, *, size: int = LARGEST_PAGE, token: bytes = b"") -> VisibilityPage:
        """One page of the runs that a visibility query finds (`ExecutionStatus = 'Running'`):
        open ones first, then closed ones by the time they closed, newest first."""
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, page_size=size, next_page_token=token, query=query
        )
        return self._client.run(
            lambda deadline: self._listing.page(
                "list_workflow_executions", request, visibility_row, deadline
            ),
            LONG,
        )

    def count(self, query: str) -> int:
        """How many runs a visibility query finds."""
        request = CountWorkflowExecutionsRequest(namespace=self._client.namespace, query=query)
        return self._client.run(
            lambda deadline: self._listing.count("count_workflow_executions", request, deadline),
            LONG,
        )

    def describe(self, workflow_id: str, run_id: str) -> RunDescription:
        """What one run is doing now. NotFound when the server no longer has it, Refused when
        nobody can decode what it has."""
        description = self.describe_all([(workflow_id, run_id)])[0]
        if description is None:
            raise NotFound(f"no workflow {workflow_id} with run {run_id}")
        if isinstance(description, Undecodable):
            raise Refused(description.problem, code=UNDECODABLE)
        return description

    def describe_all(self, refs: Sequence[Ref]) -> list[RunDescription | Undecodable | None]:
        """As `describe`, several at once and in their order; None for those that are gone."""

        async def one(ref: Ref, deadline: float) -> RunDescription | Undecodable | None:
            request = DescribeWorkflowExecutionRequest(
                namespace=self._client.namespace, execution=_execution(ref)
            )
            what = f"describe workflow {ref[0][:200]}"
            try:
                answer = await self._client.connection.call(
                    lambda client: client.workflow_service.describe_workflow_execution,
                    request,
                    what=what,
                    deadline=deadline,
                )
                return decoded(what, run_description, answer)
            except NotFound:
                return None
            except Refused as problem:
                return undecodable(problem)

        return self._client.run(lambda deadline: each(refs, one, deadline), LONG)

    def history(self, workflow_id: str, run_id: str) -> RunHistory:
        """The whole history of one run. NotFound when the server no longer has it."""

        async def go(deadline: float) -> RunHistory:
            return await self._whole((workflow_id, run_id), deadline)

        return self._client.run(go, LONG)

    def fetch(self, refs: Sequence[Ref]) -> Fetching:
        """Begins to fetch several whole histories and returns at once. For short ones: all of them
        are in memory. What cannot be decoded is left out like what is gone."""

        async def one(ref: Ref, deadline: float) -> RunHistory | None:
            try:
                return await self._whole(ref, deadline)
            except NotFound:
                return None
            except Refused as problem:
                undecodable(problem)
                return None

        async def go() -> list[RunHistory | None]:
            return await each(refs, one, asyncio.get_running_loop().time() + LONG)

        return Fetching(bridge.submit(go()))

    def history_after(
        self, workflow_id: str, run_id: str, after: int, *, activities: Collection[str] = ()
    ) -> RunHistory:
        """The events of one run after the one with the id `after`, read from the end, so that it
        costs about what is new. What those and the pending `activities` (ids) refer to comes along
        (the scheduling of an activity, the last workflow task before), with smaller ids.
        `document` is None."""

        async def go(deadline: float) -> RunHistory:
            newest_first: list[ProtoEvent] = []
            token = b""
            while True:
                answer = await self._client.connection.call(
                    lambda client: client.workflow_service.get_workflow_execution_history_reverse,
                    GetWorkflowExecutionHistoryReverseRequest(
                        namespace=self._client.namespace,
                        execution=_execution((workflow_id, run_id)),
                        maximum_page_size=REVERSE_PAGE,
                        next_page_token=token,
                    ),
                    what=f"read the end of the history of {workflow_id[:200]}",
                    deadline=deadline,
                )
                newest_first.extend(answer.history.events)
                token = answer.next_page_token
                if not token or reaches_back(newest_first, after, activities):
                    return _ending(newest_first)

        return self._client.run(go, LONG)

    async def _whole(self, ref: Ref, deadline: float) -> RunHistory:
        translated: list[HistoryEvent] = []
        written: list[bytes] = []
        last, token = ProtoEvent(), b""
        while True:
            page = await self._page(ref, token, deadline)
            token = page.next_page_token
            events = page.history.events
            # Of many pages nobody knows how many more will come.
            several = bool(token or written)
            room = room_for(len(events) * (4 if several else 1))
            what = f"read the history of {ref[0][:200]}"
            translated.extend(decoded(what, partial(translate, room=room), events))
            # Messages of one repeated field are joined by writing one after the other, so that a
            # long history is never held as messages.
            # The same history is the same bytes: the archive knows it by its digest.
            written.append(page.history.SerializeToString(deterministic=True))
            if events:
                last = events[-1]
            if not token:
                return RunHistory(
                    tuple(translated), last.event_id, is_closing(last), b"".join(written)
                )

    async def _page(
        self, ref: Ref, token: bytes, deadline: float
    ) -> GetWorkflowExecutionHistoryResponse:
        return await self._client.connection.call(
            lambda client: client.workflow_service.get_workflow_execution_history,
            GetWorkflowExecutionHistoryRequest(
                namespace=self._client.namespace, execution=_execution(ref), next_page_token=token
            ),
            what=f"read the history of {ref[0][:200]}",
            deadline=deadline,
        )


def _execution(ref: Ref) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=ref[0], run_id=ref[1])


def undecodable(problem: Refused) -> Undecodable:
    """What of a Refused is one thing's own fault; raises it when it is not."""
    if problem.code != UNDECODABLE:
        raise problem
    return Undecodable(problem.message)


async def each(
    refs: Sequence[Ref], read: Callable[[Ref, float], Coroutine[object, None, T]], deadline: float
) -> list[T]:
    """`read` of each, a few at a time, in order. The first error ends them all."""
    limit = asyncio.Semaphore(READERS)

    async def limited(ref: Ref) -> T:
        async with limit:
            return await read(ref, deadline)

    tasks = [asyncio.ensure_future(limited(ref)) for ref in refs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def reaches_back(
    newest_first: Sequence[ProtoEvent], after: int, activities: Collection[str]
) -> bool:
    """Whether events, newest first, go back to all that those after `after` refer to."""
    oldest = newest_first[-1].event_id if newest_first else 0
    if oldest > after:
        return False
    if oldest <= 1:
        return True
    scheduled = {
        event.activity_task_scheduled_event_attributes.activity_id
        for event in newest_first
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    }
    if not scheduled.issuperset(activities):
        return False
    refs = (
        event.ref
        for event in translate((proto for proto in newest_first if proto.event_id > after), 0)
    )
    return min((ref for ref in refs if ref), default=oldest) >= oldest and (
        oldest <= after - REVERSE_PAGE or _has_worker(newest_first, after)
    )


def _has_worker(newest_first: Sequence[ProtoEvent], after: int) -> bool:
    return any(
        event.event_id <= after and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        for event in newest_first
    )


def _ending(newest_first: Sequence[ProtoEvent]) -> RunHistory:
    last = newest_first[0] if newest_first else ProtoEvent()
    return RunHistory(
        events=translate(reversed(newest_first), room_for(len(newest_first))),
        last_id=last.event_id,
        closed=is_closing(last),
        document=None,
    )
