"""Events as they came over the wire, read value by value. Pure, and raises nothing.

Anybody who may use the broker may send events. A value that is not what it should be is left out of
its event; an event that means nothing without it (no type, no task) is set aside; neither costs its
neighbours anything. Each is told with what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from console.clients.celery.json_parts import LONGEST, LOST, elements, members, value_of
from console.clients.celery.records import CeleryEvent, UnreadableEvent
from console.unstructured import clean, moment, number

JSON: Final = "application/json"
PAST: Final = 31 * 86_400.0
FUTURE: Final = 86_400.0
"""Seconds. By clocks that differ, an event is not told longer after or before it happened."""
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
    read = EventsRead([], [])
    if content_type != JSON:
        problem = f"sent as {content_type[:_SHOWN]}: set event_serializer to json"
        read.unreadable.append(UnreadableEvent("", "", "", problem))
        return read
    try:
        decoded = orjson.loads(body)
    except ValueError:
        _parts(body, heard_us, read)
        return read
    for raw in decoded if isinstance(decoded, list) else (decoded,):
        _take(raw, heard_us, read)
    return read


def _parts(body: bytes | str, heard_us: int, read: EventsRead) -> None:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if len(text) > LONGEST:
        problem = f"a message of {len(text):,} letters that is no JSON"
        read.unreadable.append(UnreadableEvent("", "", "", problem))
        return
    for element in elements(text):
        raw: dict[str, Any] = {}
        problems: list[str] = []
        for name, value_text in members(element):
            value, problem = value_of(value_text)
            if value is not LOST:
                raw[name] = value
            if problem:
                problems.append(f"{name[:_SHOWN]}: {problem}")
        if isinstance(body, bytes) and "\ufffd" in element and not problems:
            problems.append("bytes that are not UTF-8")
        if raw or problems:
            _take(raw, heard_us, read, problems)
        else:
            read.unreadable.append(UnreadableEvent("", "", "", f"no event: {shown(element)}"))


def _take(raw: Any, heard_us: int, read: EventsRead, problems: list[str] | None = None) -> None:
    problems = problems if problems is not None else []
    event = event_of(raw, heard_us, problems)
    if event is not None:
        read.events.append(event)
    if problems:
        read.unreadable.append(_unreadable(raw, event, "; ".join(problems)))


def _unreadable(raw: Any, event: CeleryEvent | None, problem: str) -> UnreadableEvent:
    fields = raw if isinstance(raw, dict) else {}
    if event is not None:
        return UnreadableEvent(event.uuid, event.hostname, event.type, problem)
    kind, host = fields.get("type"), fields.get("hostname")
    uuid = fields.get("uuid")
    return UnreadableEvent(
        uuid if isinstance(uuid, str) else shown(uuid) if uuid is not None else "",
        host if isinstance(host, str) else "",
        kind if isinstance(kind, str) else "",
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
    seconds = raw.get("timestamp")
    if type(seconds) is float and -PAST <= seconds - heard_us / 1_000_000 <= FUTURE:
        us: int = round(seconds * 1_000_000)
        stamp: int | str = us
    else:
        us, stamp = _time(raw, heard_us, problems)
    for name, value in raw.items():
        # Nearly all values are texts where texts are expected: a look at the type is enough.
        if value is None or _PLAIN.get(name) is type(value) or (check := _CHECKS.get(name)) is None:
            continue
        if problem := check(value):
            problems.append(f"{name}: {problem}")
    return CeleryEvent(kind, us, host, uuid, _without(raw) if problems else raw, heard_us, stamp)


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
    **dict.fromkeys(("retries", "pid", "done", "total", "active"), _count),
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
