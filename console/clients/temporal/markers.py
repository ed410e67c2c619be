"""Markers: what workers of every SDK write down about what no server did for them.

Local activities, versions of the code, patches and side effects. The SDKs built on the common core
(Python, TypeScript, .NET, Ruby) call them by other names than Go and Java do, and each keeps what
it says under names of its own. Each reader gives keyword arguments of HistoryEvent: `state` is
local_activity, version, patch, side_effect or mutable_side_effect, `name` is what people call it
(the activity's type, the change), `subject` its id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from console.clients.temporal.codecs import codec_note, decompressed
from console.clients.temporal.failures import failure
from console.clients.temporal.payloads import (
    LONGEST_IDENTITY,
    LONGEST_NAME,
    UNREADABLE,
    Attributes,
    json_value,
    some,
    text,
    values,
)
from console.unstructured import mapping, whole

_LONGEST: Final = 20_000
"""Bytes of one value of a marker that is read for a name."""
_MOST_DETAILS: Final = 10
_MOST_ATTEMPT: Final = 2**31


def marker_recorded(event: Any, room: int) -> Attributes:
    """Any marker."""
    attributes: Attributes = {"name": text(event.marker_name, LONGEST_NAME)}
    if event.HasField("failure"):
        attributes["failure"] = failure(event.failure, room)
    details = event.details
    read = _READERS.get(event.marker_name, _unknown)
    attributes.update(read(details, room))
    if note := _note(details):
        attributes["detail"] = {**attributes.get("detail", {}), "note": note}
    return attributes


def _core_local_activity(details: Any, room: int) -> Attributes:
    facts = mapping(_value_of(details, "data"))
    return _local_activity(
        facts.get("activity_id"),
        facts.get("activity_type"),
        facts.get("attempt"),
        _shown(details, room, "result"),
    )


def _own_local_activity(details: Any, room: int) -> Attributes:
    """Of Go (one object in `data`) or of Java (each fact under a name)."""
    facts = mapping(_value_of(details, "data"))
    if "ActivityID" in facts or "ActivityType" in facts:
        return _local_activity(
            facts.get("ActivityID"),
            facts.get("ActivityType"),
            facts.get("Attempt"),
            _shown(details, room, "result"),
        )
    attempt = mapping(_value_of(details, "meta")).get("atpt")
    result = _shown(details, room, "result") or _shown(details, room, "data")
    return _local_activity(
        _value_of(details, "activityId"),
        _value_of(details, "type"),
        attempt,
        result,
        input=_shown(details, room, "input"),
    )


def _local_activity(
    activity_id: Any, activity_type: Any, attempt: Any, result: list[Any], **more: Any
) -> Attributes:
    number = whole(attempt) or 0
    return {
        "state": "local_activity",
        "name": _word(activity_type, LONGEST_NAME),
        "subject": _word(activity_id, LONGEST_IDENTITY),
        "attempt": number if 0 <= number < _MOST_ATTEMPT else 0,
        "detail": some(result=result, **more),
    }


def _version(details: Any, _: int) -> Attributes:
    change = _value_of(details, "change-id", "changeId")
    return {
        "state": "version",
        "name": _word(change, LONGEST_NAME),
        "detail": {"version": _word(_value_of(details, "version"), 20)},
    }


def _patch(details: Any, _: int) -> Attributes:
    facts = mapping(_value_of(details, "patch-data"))
    return {
        "state": "patch",
        "name": _word(facts.get("id"), LONGEST_NAME),
        "detail": some(deprecated=facts.get("deprecated") is True or None),
    }


def _side_effect(details: Any, room: int) -> Attributes:
    return {
        "state": "side_effect",
        "name": _word(_value_of(details, "side-effect-id", "id"), LONGEST_NAME),
        "detail": some(result=_shown(details, room, "data")),
    }


def _mutable_side_effect(details: Any, room: int) -> Attributes:
    return {**_side_effect(details, room), "state": "mutable_side_effect"}


def _unknown(details: Any, room: int) -> Attributes:
    named = sorted(details)[:_MOST_DETAILS]
    if not named:
        return {}
    return {"detail": {text(key, 60): values(details[key].payloads, room) for key in named}}


_READERS: Final[Mapping[str, Callable[[Any, int], Attributes]]] = {
    "core_local_activity": _core_local_activity,
    "LocalActivity": _own_local_activity,
    "core_patch": _patch,
    "Version": _version,
    "SideEffect": _side_effect,
    "MutableSideEffect": _mutable_side_effect,
}


def _value_of(details: Any, *names: str) -> Any:
    """What the first payload under one of these names says; None where that cannot be read."""
    for name in names:
        # Looking up what is not there would add it.
        payloads = details[name].payloads if name in details else []
        if payloads:
            value = json_value(payloads[0], _LONGEST)
            return None if value is UNREADABLE else value
    return None


def _shown(details: Any, room: int, name: str) -> list[Any]:
    return values(details[name].payloads, room) if name in details else []


def _word(value: Any, most: int) -> str:
    """A name or a number as text; nothing else is a name."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return text(value, most) if isinstance(value, str) else ""


def _note(details: Any) -> str:
    """Why a marker cannot be told by name: a codec had it."""
    for name in sorted(details)[:_MOST_DETAILS]:
        for payload in details[name].payloads[:1]:
            if note := codec_note(decompressed(payload).metadata.get("encoding", b"")):
                return note
    return ""
