"""What others could have had a server say in place of a recording: mutations of protobuf messages.

The wire takes care of types, so that a number stays one; everything else may be otherwise: fields
missing, numbers and enums of any value, texts and bytes of any content, times outside of every
calendar, lists in another order or thousands long, causes nested in causes, and payloads whose JSON
is whatever tests.mutations makes of it. The same random gives the same mutant.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor as Kind
from google.protobuf.message import Message

from tests.mutations import TEXTS, mutants, strange_value

M = TypeVar("M", bound=Message)
_INTEGERS: Final = {
    Kind.CPPTYPE_INT32: (0, -1, 1, 2**31 - 1, -(2**31)),
    Kind.CPPTYPE_INT64: (0, -1, 1, 2**31, 10**15, 2**63 - 1, -(2**63)),
    Kind.CPPTYPE_UINT32: (0, 1, 2**32 - 1),
    Kind.CPPTYPE_UINT64: (0, 1, 2**64 - 1),
    Kind.CPPTYPE_ENUM: (0, -1, 1, 2, 3, 99, 2**31 - 1),
}
_FLOATS: Final = (0.0, -1.0, 1e308, float("nan"), float("inf"), float("-inf"), 1e-308)
_WORDS: Final = tuple(
    text for text in TEXTS if not any("\ud800" <= letter <= "\udfff" for letter in text)
)
"""Texts that the wire takes: it refuses halves of surrogate pairs."""
_ENCODINGS: Final = (
    *(b"", b"json/plain", b"json/protobuf", b"binary/null", b"binary/plain", b"binary/zlib"),
    *(b"binary/encrypted", b"\xff\xfe", b"x" * 5000),
)
_MANY: Final = 600
_DEEP: Final = 40


def mutated(message: M, random: Random) -> M:
    """A mutated copy; mostly one thing differs in it, up to four."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        _change(_chosen(copy, random), random)
    return copy


def _chosen(message: Message, random: Random) -> Message:
    """One of the messages inside a message (or itself), each depth as often as another."""
    depths: list[list[Message]] = [[message]]
    while depths[-1] and len(depths) < 30:
        depths.append([inner for outer in depths[-1] for inner in _inside(outer)])
    return random.choice(random.choice([level for level in depths if level]))


def _inside(message: Message) -> list[Message]:
    inner: list[Message] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = field.message_type.fields_by_name["value"]
            inner += list(value.values()) if values.message_type else []
        else:
            inner += list(value) if field.is_repeated else [value]
    return inner


def _change(message: Message, random: Random) -> None:
    name = message.DESCRIPTOR.name
    if name == "Payload" and random.random() < 0.8:
        _change_payload(message, random)
        return
    if name == "Failure" and random.random() < 0.3:
        _nest(message, random)
        return
    present = [field for field, _ in message.ListFields()]
    # What is there is what readers go by; what is not there may be set all the same.
    every: list[Any] = [*message.DESCRIPTOR.fields]
    fields: list[Any] = list(present) if present and random.random() < 0.8 else every
    if fields:
        field = random.choice(fields)
        random.choice((_clear, _set, _set, _set))(message, field, random)


def _clear(message: Message, field: Any, _: Random) -> None:
    message.ClearField(field.name)


def _set(message: Any, field: Any, random: Random) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _change_map(getattr(message, field.name), field, random)
    elif field.is_repeated:
        _change_list(getattr(message, field.name), field, random)
    elif field.message_type is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        _change(inner, random)
    else:
        setattr(message, field.name, _scalar(field, random))


def _scalar(field: Any, random: Random) -> Any:
    kind = field.cpp_type
    if kind == Kind.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind in (Kind.CPPTYPE_FLOAT, Kind.CPPTYPE_DOUBLE):
        return random.choice(_FLOATS)
    if kind == Kind.CPPTYPE_STRING:
        word = random.choice(_WORDS)
        return word.encode() if field.type == Kind.TYPE_BYTES else word
    return random.choice(_INTEGERS[kind])


def _change_list(items: Any, field: Any, random: Random) -> None:
    how = random.choice(("clear", "double", "reverse", "add", "many"))
    before = list(items)
    if how == "clear":
        del items[:]
    elif how == "double":
        items.extend(before)
    elif how == "reverse":
        del items[:]
        items.extend(before[::-1])
    elif field.message_type is not None:
        for _ in range(1 if how == "add" else _MANY):
            added = items.add()
            if before and random.random() < 0.5:
                added.CopyFrom(random.choice(before))
    else:
        items.extend(_scalar(field, random) for _ in range(1 if how == "add" else _MANY))


def _change_map(entries: Any, field: Any, random: Random) -> None:
    values = field.message_type.fields_by_name["value"]
    if entries and random.random() < 0.4:
        del entries[random.choice(sorted(entries))]
        return
    for number in range(random.choice((1, 1, 40))):
        keys = field.message_type.fields_by_name["key"]
        is_text = keys.cpp_type == Kind.CPPTYPE_STRING
        key: Any = f"{random.choice(_WORDS)[:300]}{number or ''}" if is_text else number
        if values.message_type is None:
            entries[key] = _scalar(values, random)
        else:
            _change(entries[key], random)


def _change_payload(payload: Any, random: Random) -> None:
    how = random.choice(("json", "json", "bytes", "encoding", "nothing"))
    if how == "nothing":
        payload.Clear()
    elif how == "encoding":
        payload.metadata["encoding"] = random.choice(_ENCODINGS)
    elif how == "bytes":
        payload.data = random.randbytes(random.choice((0, 1, 40, 5000)))
    else:
        payload.metadata["encoding"] = b"json/plain"
        payload.data = _json(payload.data, random)


def _json(data: bytes, random: Random) -> bytes:
    try:
        (made,) = mutants([json.loads(data)], 1, seed=random.randrange(2**31))
        value = made.value
    except (ValueError, RecursionError):
        value = strange_value(random)
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):
        return random.choice((b"[" * 3000, b"9" * 6000, b"{"))


def _nest(failure: Any, random: Random) -> None:
    """Causes in causes, as deep as a parser goes."""
    innermost = type(failure)()
    innermost.CopyFrom(failure)
    for _ in range(random.choice((1, 3, _DEEP))):
        outer = type(failure)(message=random.choice(_WORDS)[:300])
        outer.cause.CopyFrom(innermost)
        innermost = outer
    failure.CopyFrom(innermost)
