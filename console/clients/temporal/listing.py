"""Pages of visibility within the server's limits: how often it is asked, how much comes at once.

A row carries whatever memo its starter gave it, up to two megabytes: a page is asked for with as
many rows as fit what is read at once, as far as the rows before it tell.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import TOO_LARGE
from console.clients.temporal.decoding import decoded
from console.clients.temporal.records import VisibilityPage, VisibilityRow
from console.clients.temporal.token_bucket import TokenBucket
from console.clients.temporal.workflow_service import call
from console.errors import Refused

LARGEST_PAGE: Final = 1000
"""The server gives no more rows than this, whatever is asked."""
AT_ONCE: Final = 8_000_000
"""Bytes that a page may have, about; with what is made of them they take four times as much."""


class _Shared:
    """What all readers of a namespace share: its limit, and how many rows a page has."""

    def __init__(self) -> None:
        # A server allows 10 queries of visibility a second and namespace, and no more than that at
        # once; others want some of them too.
        self.bucket = TokenBucket(burst=10, rate=8.0)
        self.size = LARGEST_PAGE


_shared: weakref.WeakKeyDictionary[TemporalClient, _Shared] = weakref.WeakKeyDictionary()


class Listing:
    """The visibility of a client's namespace."""

    def __init__(self, client: TemporalClient) -> None:
        self._client = client
        shared = _shared.get(client)
        self._shared = _shared.setdefault(client, _Shared()) if shared is None else shared

    async def page(
        self,
        method: str,
        request: Any,
        translate: Callable[[Any], VisibilityRow],
        deadline: float,
    ) -> VisibilityPage:
        """One page of what a list request finds; `page_size` of it is the most.

        Raises Refused with UNDECODABLE when a row is of a shape that nothing can decode.
        """
        most = request.page_size
        while True:
            request.page_size = min(most, self._shared.size)
            await self._shared.bucket.take(deadline)
            try:
                answer = await call(self._client, method, request, "list runs", deadline)
            except Refused as problem:
                if problem.code != TOO_LARGE or request.page_size == 1:
                    raise
                self._shared.size = max(1, request.page_size // 8)
                continue
            self._learn(answer)
            rows = tuple(decoded("list runs", translate, row) for row in answer.executions)
            return VisibilityPage(rows, answer.next_page_token)

    def _learn(self, answer: Any) -> None:
        rows = len(answer.executions)
        size = answer.ByteSize() if rows else 0
        if size > AT_ONCE:
            self._shared.size = max(1, rows * AT_ONCE // size)
        elif rows >= self._shared.size and size < AT_ONCE // 2:
            self._shared.size = min(LARGEST_PAGE, 2 * self._shared.size)

    async def count(self, method: str, request: Message, deadline: float) -> int:
        """How many runs a count request finds."""
        await self._shared.bucket.take(deadline)
        answer = await call(self._client, method, request, "count runs", deadline)
        return int(answer.count)
