"""What keepers of one stream tell each other and its readers, and how they bound it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from console.clients.celery.kept_events import (
    FORGOTTEN,
    MOST_BYTES,
    MOST_SECONDS,
    KeeperSign,
    State,
    broker_ms,
    entry_number,
    now_us,
    state_key,
    text_of,
)

BEAT: Final = 1.0
SETTLED_MS: Final = 2500
"""Milliseconds after which a keeper is taken to listen, and to listen still."""
PROVEN_MS: Final = 8000
"""Milliseconds in which another keeper that lives gives a sign, however busy its machine is."""
GONE_MS: Final = 60_000
_LARGE_AFTER_MS: Final = 5000


class Books:
    """The hash beside a stream (see kept_events.py), kept by one keeper over one subscription.

    `since` is when the subscription began, by the broker's clock in milliseconds. It is `proven`
    when it was told whether somebody had listened until then; before that nobody is told that we
    did, or a second loss would hide the first.
    """

    def __init__(self, client: Any, stream: str, keeper: str) -> None:
        """Subscribed already."""
        self.since = broker_ms(client.time())
        self.proven = False
        self._client = client
        self._keeper = keeper
        self._stream = stream
        self._state = state_key(stream)
        self._heard_before = 0
        self._due = 0.0

    def open(self, exchange: str) -> None:
        """Makes the hash where it is not there, and says that we listen."""
        self._heard_before = State(self._client.hgetall(self._state)).number("heard")
        self._forget_old_bindings(exchange)
        self.proven = self.make()
        self.beat(has_parent=True)

    def make(self) -> bool:
        """Begins the hash anew; False where somebody else has."""
        if not self._client.hsetnx(self._state, "epoch", uuid4().hex):
            return False
        self._client.hset(self._state, mapping={"since": now_us(), "heard": self.since})
        return True

    def is_due(self) -> bool:
        """Whether it is time for a sign."""
        return time.monotonic() >= self._due

    def beat(self, *, has_parent: bool) -> State:
        """Gives a sign, and keeps within bounds; what the hash says, and `now`."""
        self._due = time.monotonic() + BEAT
        now = broker_ms(self._client.time())
        sign = KeeperSign(self.since, now, has_parent=has_parent)
        mine = {f"keeper:{self._keeper}": str(sign), **({"heard": now} if self.proven else {})}
        pipe = self._client.pipeline(transaction=False)
        pipe.hset(self._state, mapping=mine)
        pipe.expire(self._state, FORGOTTEN)
        pipe.expire(self._stream, FORGOTTEN)
        pipe.hgetall(self._state)
        pipe.xrange(self._stream, count=1)
        *_, fields, first = pipe.execute()
        state = State({**fields, "now": now})
        gone = [
            keeper for keeper, other in state.keepers().items() if abs(now - other.at) > GONE_MS
        ]
        if gone:
            self._client.hdel(self._state, *(f"keeper:{keeper}" for keeper in gone))
        if first:
            self._bound(now, (entry_number(text_of(first[0][0])) or (now, 0))[0])
        return state

    def prove(self, state: State, cause: str, *, at_once: bool = False) -> None:
        """Finds out whether somebody had listened until we came: another keeper, whose sign came
        after that, or we ourselves before our connection was lost. Says it when nobody had, as far
        as is known after PROVEN_MS (or `at_once`)."""
        since, before = self.since, self._heard_before
        others = [sign for keeper, sign in state.keepers().items() if keeper != self._keeper]
        if any(sign.since <= since < sign.at for sign in others):
            self.proven = True
        elif at_once or state.number("now") - since > PROVEN_MS:
            self.proven = True
            if 0 < before < since:
                ours_us = now_us()
                to_us = ours_us - (state.number("now") - since) * 1000
                gap = {"from": to_us - (since - before) * 1000, "to": to_us, "cause": cause}
                self._client.xadd(self._stream, {"at": ours_us, "gap": json.dumps(gap)})

    def leave(self, cause: str, *, dropped: bool) -> None:
        """We listen no more. The last sign stays for whoever follows us, unless nothing is kept
        any more (`dropped`)."""
        with suppress(Exception):
            if dropped:
                self._client.hdel(self._state, f"keeper:{self._keeper}")
                return
            state = self.beat(has_parent=False)
            if not self.proven:
                self.prove(state, cause, at_once=True)
                self.beat(has_parent=False)

    # -- bounds -----------------------------------------------------------------------------------

    def _bound(self, now: int, oldest: int) -> None:
        """Drops what waits for too long, and the older half of too much."""
        if now - oldest > MOST_SECONDS * 1000:
            self._cut(now - MOST_SECONDS * 1000)
        elif now - oldest > _LARGE_AFTER_MS and self._size() > MOST_BYTES:
            self._cut(oldest + (now - oldest) // 2)

    def _size(self) -> int:
        try:
            return self._client.memory_usage(self._stream, samples=5) or 0
        except Exception:  # noqa: BLE001  # some hosted ones forbid it: then by number
            return int(self._client.xlen(self._stream)) * 4096

    def _cut(self, before: int) -> None:
        last = self._client.xrevrange(self._stream, max=f"({before}-0", count=1)
        if last:
            entry, fields = last[0]
            self._client.hset(
                self._state, mapping={"cut": entry, "cut_at": fields.get(b"at", now_us())}
            )
            self._client.xtrim(self._stream, minid=f"{before}-0", approximate=False)

    def _forget_old_bindings(self, exchange: str) -> None:
        """What readers of earlier versions left: each had a queue of its own bound to the exchange,
        and a binding is not forgotten with its queue."""
        bindings = f"_kombu.binding.{exchange}"
        with suppress(Exception):
            members = self._client.smembers(bindings)
            old = [member for member in members if b"celeryev.headroom-" in member]
            if old:
                self._client.srem(bindings, *old)
