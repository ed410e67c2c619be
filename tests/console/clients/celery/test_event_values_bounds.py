"""What a message costs is bounded, whatever is in it: the steps are counted here, not the time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from console.clients.celery import json_parts
from console.clients.celery.event_values import events_of
from console.clients.celery.json_parts import MOST_PARTS, MOST_SIGNS
from console.clients.celery.kept_events import MOST_MESSAGE
from tests.console.clients.celery.test_event_values import HEARD_US, T0, healthy

FEW_SIGNS = 2_000
A, C = healthy("a"), healthy("c")


class CountedPattern:
    """A pattern that counts what is found one by one."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.count = 0

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        """The next."""
        self.count += 1
        return self._pattern.search(text, start)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """All of them."""
        for match in self._pattern.finditer(text):
            self.count += 1
            yield match


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch) -> CountedPattern:
    """Counts the signs that are read one by one."""
    counted = CountedPattern(json_parts._TOKENS)
    monkeypatch.setattr(json_parts, "_TOKENS", counted)
    return counted


@pytest.mark.parametrize(
    "part",
    [
        *("1,", '"",', "{},", "[],", ",", "[]", "{}", "[", "{", '{"type":"', '{"type":', '"', "a "),
        *('{"pid":}', '{"type":"a"}{', "{},1,", '{"a":1},', '{"type":"a","x":NaN},', '{"a":"b" c,'),
        *(f'{{"type":"a","b":[{"[]," * 60}1]}},', '{"type":"a","b":"\\ud800"},', '{"type":\\"'),
    ],
)
@pytest.mark.parametrize("before", ["[", '{"type":"a",', '[{"type":"a","x":['])
def test_signs_are_read_one_by_one_up_to_a_bound(
    before: str, part: str, signs: CountedPattern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_parts, "MOST_SIGNS", FEW_SIGNS)
    events_of((before + part * 10_000 + "NaN]").encode(), HEARD_US)
    # How deep a value is takes its signs once more.
    assert signs.count <= 2 * FEW_SIGNS + 100


def test_a_damaged_value_is_not_read_once_more_to_see_how_deep_it_is(
    signs: CountedPattern,
) -> None:
    raw = '{"type":"a","b":]] NaN' + '"a":1{[1,2]' * 20_000
    events_of(raw.encode(), HEARD_US)
    assert signs.count < 100


def test_of_the_largest_message_an_event_that_is_no_json_costs_its_own_signs(
    signs: CountedPattern,
) -> None:
    event = healthy("u" * 36)
    number = (MOST_MESSAGE - 1_000) // (len(event) + 1)
    bad = f'{{"uuid":"bad","hostname":"w","loss":NaN,"timestamp":{T0},"type":"task-started"}}'
    raw = f"[{f'{event},' * (number // 2)}{bad},{f'{event},' * (number // 2)}{C}]"
    assert number > 50_000
    events, unreadable = events_of(raw.encode(), HEARD_US)
    assert len(events) == number // 2 * 2 + 2
    assert events[-1].uuid == "c"
    assert [(event.uuid, event.problem) for event in unreadable] == [
        ("bad", "loss: NaN is no JSON")
    ]
    # Of a healthy event its first one and the comma behind it.
    assert signs.count < number * 2 + 100 < MOST_SIGNS


def test_events_with_a_bad_value_each_are_read_by_the_thousand() -> None:
    bad = healthy("b").replace('"pid"', '"loss": NaN, "pid"')
    raw = f"[{','.join([bad] * 10_000)}]"
    events, unreadable = events_of(raw.encode(), HEARD_US)
    assert len(events) == 10_000
    assert {event.problem for event in unreadable[:-1]} == {"loss: NaN is no JSON"}
    assert unreadable[-1].problem == "9,000 more of one message cannot be read"


def test_behind_too_many_signs_healthy_events_are_read_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_parts, "MOST_SIGNS", FEW_SIGNS)
    weights = (
        f'{{"uuid":"w","type":"task-progress","timestamp":{T0},"w":[{"1," * 9000}{"[]"},NaN]}}'
    )
    bad = healthy("b").replace('"pid"', '"loss": NaN, "pid"')
    events, unreadable = events_of(f"[{A},{weights},{C},{bad},{A}]".encode(), HEARD_US)
    assert [event.uuid for event in events] == ["a", "w", "c", "a"]
    assert "w" not in events[1].fields
    assert [(event.uuid, event.problem) for event in unreadable] == [
        ("w", "not read to its end: too much of its message is no JSON"),
        ("", f"{len(bad):,} letters of one message are not read: too much of it is no JSON"),
    ]


def test_nothing_of_what_is_not_read_is_left_uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_parts, "MOST_SIGNS", 0)
    raw = f"[{A},nonsense,{{1}},{C}]NaN"
    events, (left,) = events_of(raw.encode(), HEARD_US)
    assert [event.uuid for event in events] == ["a", "c"]
    letters = len("nonsense,{1}" + "NaN")
    assert left.problem.startswith(f"{letters} letters of one message are not read")


def test_of_one_message_so_many_events_are_read_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shortest = json.dumps(
        {
            "hostname": "a",
            "utcoffset": 0,
            "pid": 1,
            "clock": 1,
            "uuid": "u" * 36,
            "timestamp": 1795000000.7740924,
            "type": "task-sent",
        }
    )
    assert MOST_PARTS * len(shortest) > MOST_MESSAGE
    events, unreadable = events_of(f"[{'{},' * MOST_PARTS}{A},{C}]".encode(), HEARD_US)
    assert events == []
    assert unreadable[-1].problem == "2 events of one message are not read: 60,000 were before them"
    monkeypatch.setattr(json_parts, "MOST_PARTS", 3)
    events, unreadable = events_of(f"[{A},{A},{A},{C},NaN]".encode(), HEARD_US)
    assert [event.uuid for event in events] == ["a", "a", "a"]
    (left,) = unreadable
    assert left.problem.startswith(f"{len(C) + 4:,} letters of one message are not read")


def test_what_is_read_in_one_go_is_what_is_read_sign_by_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every sign of the middle one of three events is left out, or doubled, in turn."""
    middle = healthy("b").replace('"pid": 7', '"loadavg": [1, 2.5], "args": "(\\"a\\", {})"')
    raws = [
        f"[{A},{middle[:place]}{instead}{middle[place + 1 :]},{C}]".encode()
        for place, sign in enumerate(middle)
        for instead in ("", sign * 2, "\\")
    ]
    at_once: list[Any] = [events_of(raw, HEARD_US) for raw in raws]
    monkeypatch.setattr(json_parts, "_PLAIN_OBJECT", re.compile("(?!)"))
    assert [events_of(raw, HEARD_US) for raw in raws] == at_once
