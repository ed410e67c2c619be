"""A message as Redis hands it out: what is no message costs no more than one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from console.clients.celery import redis_events


def test_what_is_no_message_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads, parsed = orjson.loads, 0

    def counted(value: Any) -> Any:
        nonlocal parsed
        parsed += 1
        return loads(value)

    monkeypatch.setattr(orjson, "loads", counted)
    for raw in (b"[1,2]", b'{"body":1}', b'{"too_large":9}', b"no JSON"):
        parsed = 0
        (unreadable,) = redis_events._events(raw, 1).unreadable
        assert "message" in unreadable.problem
        assert parsed == 1
