"""The stream in which a Redis keeps the events of an app for us: its names, bounds and positions.

Redis hands events out by PUBLISH, which keeps nothing for whoever is away. So a keeper (keeper.py)
subscribes and adds what it hears to a stream beside it, and readers read that.

`headroom.celeryev.ID` is the stream; an entry has "messages" as they were published (see `packed`)
and "at", when they came, in microseconds since 1970; or "gap", a time in which no keeper listened.
`headroom.celeryev.ID.state` is a hash: `epoch` and `since` of its making, `heard` when the last
keeper was subscribed and `read` when somebody last read (by the broker's clock, in milliseconds),
`cut` and `cut_at` of the last entry that was dropped unread, `done` and `done_at` of the last that
was dropped as it was stored, and a field for each keeper.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import zstandard

from console.unstructured import whole

PREFIX: Final = "headroom.celeryev."
MOST_SECONDS: Final = 3600
"""Events wait so long for a reader; then a keeper without a parent ends, too."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Memory of the broker that waiting events may take."""
FORGOTTEN: Final = 86_400
"""Seconds after which the broker drops a stream that nobody keeps or reads."""
BEGINNING: Final = "0-0"
MOST_MESSAGE: Final = 8 * 1024 * 1024
"""Bytes of a message; larger ones are said to have come, and not kept."""
MOST_READ: Final = 4 * MOST_MESSAGE
"""Bytes of messages after which a batch is closed, however few events they are."""
_WORTH: Final = 2048
_PLAIN: Final = b"p"
_COMPRESSED: Final = b"z"
_MOST_UNPACKED: Final = 4 * MOST_MESSAGE


class StreamPosition(NamedTuple):
    """How far a stream was read: the id of its last entry, in the stream of an epoch."""

    epoch: str
    id: str

    def __str__(self) -> str:
        return f"{self.epoch}/{self.id}"


def position_of(text: str) -> StreamPosition | None:
    """What was written of a position; None for anything else."""
    epoch, _, entry = text.partition("/")
    return StreamPosition(epoch, entry) if epoch and entry_number(entry) is not None else None


def entry_number(entry: str) -> tuple[int, int] | None:
    """The two numbers of an entry's id; None for what is none."""
    first, _, second = entry.partition("-")
    numbers = whole(first), whole(second)
    if numbers[0] is None or numbers[1] is None:
        return None
    return numbers[0], numbers[1]


def following(entry: str) -> str:
    """The smallest id behind an entry."""
    first, second = entry_number(entry) or (0, 0)
    return f"{first}-{second + 1}"


def packed(messages: Sequence[bytes]) -> bytes:
    """Messages as one text: each behind its length, all of it compressed where that is worth it, as
    messages of one app are much alike."""
    together = b"".join(
        part for message in messages for part in (len(message).to_bytes(4, "big"), message)
    )
    if len(together) < _WORTH:
        return _PLAIN + together
    return _COMPRESSED + zstandard.ZstdCompressor(level=1).compress(together)


def unpacked(text: bytes) -> Iterator[bytes]:
    """The messages of a text; nothing of what `packed` did not write."""
    kind, together = text[:1], text[1:]
    if kind == _COMPRESSED:
        try:
            if not 0 < zstandard.frame_content_size(together) <= _MOST_UNPACKED:
                return
            together = zstandard.ZstdDecompressor().decompress(together)
        except zstandard.ZstdError:
            return
    start = 0
    while start + 4 <= len(together):
        end = start + 4 + int.from_bytes(together[start : start + 4], "big")
        if end > len(together):
            return
        yield together[start + 4 : end]
        start = end


class State:
    """The hash beside the stream, as it was read."""

    def __init__(self, fields: Mapping[Any, Any]) -> None:
        self._fields = {text_of(name): text_of(value) for name, value in fields.items()}

    @property
    def epoch(self) -> str:
        """Of the making of the stream; empty where there is none."""
        return self._fields.get("epoch", "")

    def number(self, name: str) -> int:
        """A field that is a number; 0 where it is not there."""
        return whole(self._fields.get(name)) or 0

    def entry(self, name: str) -> str:
        """A field that is an entry's id: `cut` is the last one that was dropped unread, as far as
        its keeper knew, `done` the last that was dropped as it was stored."""
        return self._fields.get(name, "")

    def keepers(self) -> dict[str, KeeperSign]:
        """The keepers that gave a sign, by their ids."""
        signs: dict[str, KeeperSign] = {}
        for name, value in self._fields.items():
            keeper = name.removeprefix("keeper:")
            parts = value.split(" ")
            numbers = [whole(part) for part in parts[:2]]
            if keeper == name or len(parts) != 3 or numbers[0] is None or numbers[1] is None:
                continue
            signs[keeper] = KeeperSign(numbers[0], numbers[1], has_parent=parts[2] == "1")
        return signs


class KeeperSign(NamedTuple):
    """What a keeper said of itself: since when it is subscribed and when it said so, in
    milliseconds of the broker's clock; whether the process that wanted it still runs."""

    since: int
    at: int
    has_parent: bool

    def __str__(self) -> str:
        return f"{self.since} {self.at} {int(self.has_parent)}"


def text_of(value: Any) -> str:
    """A text as a Redis client gives it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def broker_ms(answer: Iterable[Any]) -> int:
    """The answer to TIME in milliseconds."""
    seconds, micros = (int(part) for part in answer)
    return seconds * 1000 + micros // 1000


def now_us() -> int:
    """Our own clock."""
    return time.time_ns() // 1000


def state_key(stream: str) -> str:
    """The hash beside a stream."""
    return f"{stream}.state"
