"""Events as they came over the wire, read value by value. Pure, and raises nothing.

Anybody who may use the broker may send events. A value that is not what it should be is left out of
its event; an event that means nothing without it (no type, no task) is set aside; neither costs its
neighbours anything. Each is told with what is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from console.clients.celery.json_parts import LOST, MOST_PARTS, JsonPart, parts, value_of
from console.clients.celery.kept_events import MOST_MESSAGE
from console.clients.celery.records import LONGEST_HOST, CeleryEvent, UnreadableEvent
from console.unstructured import LARGEST, clean, moment, number

JSON: Final = "application/json"
PAST: Final = 31 * 86_400.0
FUTURE: Final = 86_400.0
"""Seconds. By clocks that differ, an event is not told longer after or before it happened."""
MOST_UNREADABLE: Final = 1_000
"""What of one message is told one by one; the rest is counted."""
MOST_PROBLEMS: Final = 10
"""What is told of one event; the rest is counted."""
LONGEST_ID: Final = 1000
"""Letters of a task's id; a longer one is cut, and ends in a hash."""
_MOST: Final = 2**31 - 1
_UNITS: Final = (
    (1.0, "seconds"),
    (1e3, "milliseconds"),
    (1e6, "microseconds"),
    (1e9, "nanoseconds"),
)
_SHOWN: Final = 60


class EventsRead(NamedTuple):
    """What came of one message."""

    events: list[CeleryEvent]
    unreadable: list[UnreadableEvent]


def events_of(body: bytes | str, heard_us: int, content_type: str = JSON) -> EventsRead:
    """The events of one message, which is one of them or a list. `heard_us` is when it came to us,
    in microseconds since 1970."""
    message = _EventMessage(heard_us)
    if len(body) > MOST_MESSAGE:
        message.set_aside(f"a message of {len(body):,} bytes, which is not read")
    elif content_type != JSON:
        message.set_aside(f"sent as {content_type[:_SHOWN]}: set event_serializer to json")
    else:
        try:
            decoded = orjson.loads(body)
        except ValueError:
            message.take_parts(body)
        else:
            message.take_all(decoded if isinstance(decoded, list) else [decoded])
    return message.read()


class _EventMessage:
    """What came of one message so far."""

    def __init__(self, heard_us: int) -> None:
        self._heard_us = heard_us
        self._events: list[CeleryEvent] = []
        self._unreadable: list[UnreadableEvent] = []
        self._more = 0
        self._beyond = 0
        self._unread = 0
        """Letters."""

    def read(self) -> EventsRead:
        """All of it."""
        for more, what in (
            (self._more, "more of one message cannot be read"),
            (self._beyond, f"events of one message are not read: {MOST_PARTS:,} were before them"),
            (self._unread, "letters of one message are not read: too much of it is no JSON"),
        ):
            if more:
                self._unreadable.append(UnreadableEvent("", "", "", f"{more:,} {what}"))
        return EventsRead(self._events, self._unreadable)

    def take_all(self, elements: list[Any]) -> None:
        """A list that is JSON."""
        self._beyond = max(len(elements) - MOST_PARTS, 0)
        for raw in elements[:MOST_PARTS]:
            self.take(raw, [])

    def take(self, raw: Any, problems: list[str]) -> None:
        """An element; `problems` are those that are known already."""
        event = event_of(raw, self._heard_us, problems)
        if event is not None:
            self._events.append(event)
        if problems:
            self._note(raw, event, problems)

    def set_aside(self, problem: str) -> None:
        """What is no event."""
        self._note(None, None, [problem])

    def take_parts(self, body: bytes | str) -> None:
        """What is not all JSON."""
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        for part in parts(text):
            if part.unread and not part.members:
                self._unread += len(part.text)
                continue
            raw, problems = _fields(part)
            if isinstance(body, bytes) and "\ufffd" in part.text and not problems:
                problems.append("bytes that are not UTF-8")
            if raw or part.members:
                self.take(raw, problems)
            else:
                self._note(None, None, problems or [f"no event: {shown(part.text)}"])
        if self._is_empty() and text.strip():
            self.set_aside(f"no event: {shown(text)}")  # commas and brackets without anything

    def _is_empty(self) -> bool:
        return not (self._events or self._unreadable or self._more or self._unread)

    def _note(self, raw: Any, event: CeleryEvent | None, problems: list[str]) -> None:
        if len(self._unreadable) >= MOST_UNREADABLE:
            self._more += 1
            return
        more = len(problems) - MOST_PROBLEMS
        problem = "; ".join(problems[:MOST_PROBLEMS]) + (f"; and {more:,} more" * (more > 0))
        self._unreadable.append(_unreadable(raw, event, problem))


def _fields(part: JsonPart) -> tuple[dict[str, Any], list[str]]:
    """What can be read of an element that is not all JSON, and what is wrong with the rest."""
    if part.whole is not None:
        return part.whole, []
    raw: dict[str, Any] = {}
    problems = [f"{part.more:,} more members than an event has"] if part.more else []
    for name, value_text in part.members:
        value, problem = value_of(value_text)
        if value is not LOST:
            raw[name] = value
        if problem:
            problems.append(f"{name[:_SHOWN]}: {problem}")
    problems += (f"no JSON: {shown(text)}" for text in part.lost)
    if part.is_cut_off:
        problems.append("cut off: its end is missing")
    if part.unread:
        problems.append("not read to its end: too much of its message is no JSON")
    return raw, problems


def _unreadable(raw: Any, event: CeleryEvent | None, problem: str) -> UnreadableEvent:
    fields = raw if isinstance(raw, dict) else {}
    if event is not None:
        return UnreadableEvent(event.uuid, event.hostname, event.type, problem)
    kind, host = fields.get("type"), fields.get("hostname")
    uuid = fields.get("uuid")
    return UnreadableEvent(
        uuid[:LONGEST_ID] if isinstance(uuid, str) else shown(uuid) if uuid is not None else "",
        host[:LONGEST_HOST] if isinstance(host, str) else "",
        kind[:_SHOWN] if isinstance(kind, str) else "",
        problem,
    )


def event_of(raw: Any, heard_us: int, problems: list[str]) -> CeleryEvent | None:
    """One event, or None for what means nothing; what is wrong is added to `problems`."""
    if type(raw) is not dict:
        problems.append(f"no event: {shown(raw)}")
        return None
    kind, uuid, host = raw.get("type"), raw.get("uuid"), raw.get("hostname")
    if type(kind) is not str or type(uuid) is not str or type(host) is not str or not uuid:
        named = _named(raw, problems)
        if named is None:
            return None
        kind, uuid, host = named
    if len(uuid) > LONGEST_ID or len(host) > LONGEST_HOST:
        uuid, host = _shortened(uuid, host, problems)
    seconds = raw.get("timestamp")
    if type(seconds) is float and -PAST <= seconds - heard_us / 1_000_000 <= FUTURE:
        us: int = round(seconds * 1_000_000)
        stamp: int | str = us
    else:
        us, stamp = _time(raw, heard_us, problems)
    _check_values(raw, problems)
    fields = _without(raw) if problems else raw
    if raw.get("eta") or raw.get("expires"):
        fields = _in_utc(fields)
    return CeleryEvent(kind, us, host, uuid, fields, heard_us, stamp)


def _in_utc(fields: dict[str, Any]) -> dict[str, Any]:
    """Moments of the sender's zone as everybody is told them."""
    moments = {name: moment(fields.get(name)) for name in ("eta", "expires")}
    return {**fields, **{name: at.isoformat() for name, at in moments.items() if at is not None}}


def _check_values(raw: Mapping[str, Any], problems: list[str]) -> None:
    for name, value in raw.items():
        # Nearly all values are texts where texts are expected: a look at the type is enough.
        if value is None or _PLAIN.get(name) is type(value) or (check := _CHECKS.get(name)) is None:
            continue
        if problem := check(value):
            problems.append(f"{name}: {problem}")


def _named(raw: Mapping[str, Any], problems: list[str]) -> tuple[str, str, str] | None:
    """Type, task and host of an event where one of them is missing or no text."""
    kind, uuid, host = raw.get("type"), raw.get("uuid"), raw.get("hostname")
    if not isinstance(kind, str) or not kind:
        problems.append("type: missing" if kind is None else f"type: no text: {shown(kind)}")
        return None
    if not isinstance(uuid, str) or not uuid:
        if kind.startswith("task-"):
            problems.append(_no_task(uuid))
            return None
        uuid = ""
    if not isinstance(host, str):
        if host is not None:
            problems.append(f"hostname: no text: {shown(host)}")
        host = ""
    return kind, uuid, host


def _no_task(uuid: Any) -> str:
    if uuid is None or uuid == "":
        return "uuid: missing"
    if isinstance(uuid, dict) and uuid.get("__type__") == "uuid":
        return f"uuid: an object, not a text: {shown(uuid)} (send task_id=str(…))"
    return f"uuid: no text: {shown(uuid)}"


def _shortened(uuid: str, host: str, problems: list[str]) -> tuple[str, str]:
    """Names that are too long to be kept for each task and worker. A task stays one of its own."""
    if len(host) > LONGEST_HOST:
        problems.append(f"hostname: {len(host):,} letters")
        host = ""
    if len(uuid) > LONGEST_ID:
        digest = hashlib.sha256(uuid.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        uuid = f"{uuid[: LONGEST_ID - 17]}~{digest}"
    return uuid, host


def _without(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that can be read."""
    return {
        name: value
        for name, value in raw.items()
        if (check := _CHECKS.get(name)) is None or value is None or not check(value)
    }


# -- times -----------------------------------------------------------------------------------------


def _time(raw: Mapping[str, Any], heard_us: int, problems: list[str]) -> tuple[int, int | str]:
    """When it happened in microseconds, and what of the event says so, whatever we heard when."""
    stamp = raw.get("timestamp")
    seconds = _seconds(stamp)
    if seconds is not None:
        for unit, name in _UNITS:
            if -PAST <= seconds / unit - heard_us / 1_000_000 <= FUTURE:
                if unit != 1:
                    problems.append(f"timestamp: in {name}, not in seconds")
                us = round(seconds / unit * 1_000_000)
                return us, us
    what = "missing" if stamp is None else f"no time at which it can have been sent: {shown(stamp)}"
    problems.append(f"timestamp: {what}")
    return heard_us, f"?{shown(stamp)[:30]}-{shown(raw.get('clock'))[:20]}"


def _seconds(stamp: Any) -> float | None:
    if type(stamp) is float or type(stamp) is int:
        seconds = number(stamp)
    elif isinstance(stamp, str) and len(stamp) <= 64:
        at = moment(stamp)
        try:
            seconds = at.timestamp() if at is not None else number(float(stamp))
        except ValueError:
            return None
    else:
        return None
    return seconds if seconds is not None and abs(seconds) < 1e20 else None


# -- other values ----------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return "" if type(value) is str else f"no text: {shown(value)}"


def _flag(value: Any) -> str:
    return "" if type(value) is bool else f"neither true nor false: {shown(value)}"


def _count(value: Any) -> str:
    if type(value) is int and 0 <= value <= _MOST:
        return ""
    return f"no count: {shown(value)}"


def _progress(value: Any) -> str:
    """Bytes and rows are counted by the billion."""
    if type(value) is int and 0 <= value <= LARGEST:
        return ""
    return f"no count: {shown(value)}"


def _amount(value: Any) -> str:
    as_number = number(value)
    if as_number is not None and as_number >= 0:
        return ""
    return f"no amount: {shown(value)}"


def _at(value: Any) -> str:
    return "" if moment(value) is not None else f"no time: {shown(value)}"


def _signal(value: Any) -> str:
    return "" if type(value) is str or type(value) is int else f"no signal: {shown(value)}"


_TEXTS: Final = (
    *("name", "args", "kwargs", "queue", "exchange", "routing_key", "root_id", "parent_id"),
    *("result", "exception", "traceback", "text"),
    *("tenant", "parent_run", "request_id", "trace_id"),
)
_FLAGS: Final = ("terminated", "expired", "requeue")
_PLAIN: Final[Mapping[str, type]] = {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(_FLAGS, bool)}
_CHECKS: Final[Mapping[str, Callable[[Any], str]]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_FLAGS, _flag),
    **dict.fromkeys(("retries", "pid", "active"), _count),
    **dict.fromkeys(("done", "total"), _progress),
    **dict.fromkeys(("runtime", "freq"), _amount),
    **dict.fromkeys(("eta", "expires"), _at),
    "signum": _signal,
}
"""What is wrong with a value, by the names that are used of it; others are nobody's business."""


def shown(value: Any) -> str:
    """The beginning of a value that cannot be used, as people see it."""
    if isinstance(value, str):
        return clean(value[:_SHOWN])
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
