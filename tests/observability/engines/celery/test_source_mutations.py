"""Whatever stands in an event: nothing raises, nothing is dropped unsaid, neighbours are read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from console.clients.celery.event_values import events_of
from console.clients.celery.records import EventBatch
from console.unstructured import clean
from observability.engines.celery.clocks import Clocks
from observability.engines.celery.runs import Fold
from observability.engines.celery.silence import Silences
from observability.engines.celery.workers import WorkerRegistry
from observability.engines.contracts import RunSnapshot, Status
from observability.ingest.event_rows import event_rows
from observability.ingest.reading import Read
from observability.ingest.rules.masking import Masker
from observability.ingest.rules.merge import state_of
from observability.jobs.models import JobRun
from observability.jobs.rules.bounding import storable
from tests.fuzzing import fuzz_examples
from tests.mutations import Mutant, mutants
from tests.observability.engines.celery.event_listener import T0, Rows
from tests.observability.jobs.fakes import ScriptedSource

pytestmark = pytest.mark.fuzz

HEARD_US = round(T0 * 1e6) + 500_000
_COMMON: dict[str, Any] = {"hostname": "tasks-acme@sample", "utcoffset": 0, "pid": 24, "clock": 981}
_TASK: dict[str, Any] = {
    "uuid": "0dca52a5-61f5-4f7d-a3a9-8f54fbb5cbd6", "name": "imports.fetch", "args": "('erp', 2)",
    "kwargs": "{}", "root_id": "0dca52a5-61f5-4f7d-a3a9-8f54fbb5cbd6", "parent_id": None,
    "retries": 1, "eta": "2026-11-18T11:06:42.318+00:00", "expires": None,
}  # fmt: skip
_UUID = {"uuid": _TASK["uuid"]}
RECORDED: list[dict[str, Any]] = [
    {"type": kind, "timestamp": T0 + 0.1 * number, **_COMMON, **fields}
    for number, (kind, fields) in enumerate(
        (
            ("worker-online", {"freq": 2.0, "sw_ident": "py-celery", "sw_ver": "5.7.0"}),
            (
                "worker-heartbeat",
                {"freq": 2.0, "active": 1, "processed": 7, "loadavg": [1.2, 1, 1]},
            ),
            ("task-sent", {**_TASK, "queue": "acme-tasks", "exchange": "", "routing_key": "acme"}),
            ("task-received", _TASK),
            ("task-headroom", {**_UUID, "queue": "acme-tasks", "tenant": "acme", "trace_id": "4b"}),
            ("task-started", _UUID),
            ("task-progress", {**_UUID, "done": 3, "total": 10, "text": "page 3", "loss": 0.25}),
            ("task-retried", {**_UUID, "exception": "SourceError('503')", "traceback": "File…"}),
            ("task-rejected", {**_UUID, "requeue": False}),
            ("task-revoked", {**_UUID, "terminated": True, "signum": "15", "expired": False}),
            ("task-failed", {**_UUID, "exception": "ValueError('x')", "traceback": "File…"}),
            ("task-succeeded", {**_UUID, "result": "'5 pages'", "runtime": 0.81}),
        )
    )
]


class _Text(str):
    """JSON already."""


def encoded(value: Any) -> str:
    """JSON as Python writes it, of any depth and with numbers of any length."""
    parts: list[str] = []
    waiting: list[Any] = [value]
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        while waiting:
            one = waiting.pop()
            if isinstance(one, _Text):
                parts.append(one)
            elif isinstance(one, dict | list):
                is_list = isinstance(one, list)
                parts.append("[" if is_list else "{")
                inside: list[Any] = []
                for number, item in enumerate(one):
                    comma = "," if number else ""
                    inside.append(_Text(comma if is_list else f"{comma}{_plain(item)}:"))
                    inside.append(item if is_list else one[item])
                waiting.append(_Text("]" if is_list else "}"))
                waiting += reversed(inside)
            else:
                parts.append(_plain(one))
    finally:
        sys.set_int_max_str_digits(before)
    return "".join(parts)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return '"' + "".join(_letter(letter) for letter in value) + '"'
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "NaN" if value != value else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return orjson.dumps(value).decode()


def _letter(letter: str) -> str:
    plain = " " <= letter <= "~" and letter not in '"\\'
    return letter if plain or ord(letter) > 0xFFFF else f"\\u{ord(letter):04x}"


def healthy(uuid: str) -> list[dict[str, Any]]:
    """A task that succeeds, on a worker of its own."""
    common = {"uuid": uuid, "hostname": "w@neighbour", "timestamp": T0, "name": "orders.sync"}
    return [
        {**common, "type": kind, "timestamp": T0 + after}
        for after, kind in enumerate(("task-received", "task-started", "task-succeeded"))
    ]


class _Chain:
    """From the wire to rows, without a broker and a database."""

    def __init__(self) -> None:
        self.rows, self.fold, self.clocks = Rows(), Fold("sample"), Clocks()
        self.workers = WorkerRegistry()
        self.silences = Silences(self.workers, self.fold)
        self.masker = Masker(("secret",))

    def read(self, mutant: Mutant, name: str) -> tuple[list[RunSnapshot], int]:
        """The runs of a message with a mutant in the middle, and how much could not be read."""
        events = [*healthy(f"{name}-before"), mutant.value, *healthy(f"{name}-after")]
        read = events_of(encoded(events).encode("utf-8", "surrogatepass"), HEARD_US)
        batch = self.clocks.corrected(read.events)
        self.workers.take(EventBatch(tuple(batch), HEARD_US))
        runs = self.fold.runs(batch, self.rows)
        runs += self.silences.twice(self.workers.twice())
        suspects = self.workers.suspects(HEARD_US + 10**9)
        runs += self.silences.conclude(suspects, {}, self.rows, HEARD_US + 10**9)
        if not read.unreadable:
            assert len(batch) == 7, str(mutant)
        return runs, len(read.unreadable)

    def check(self, run: RunSnapshot) -> None:
        """What a database has to take."""
        state = state_of(run, masker=self.masker)
        assert state.created_at <= (state.latest["state"][1] or state.created_at)
        for row in event_rows(1, run.events, self.masker):
            assert abs(row[1]) < 2**63
            assert all(clean(part) == part for part in row if isinstance(part, str))
            assert storable(row[-1])


def test_no_event_harms_its_neighbours() -> None:
    chain, strange = _Chain(), 0
    for number, mutant in enumerate(mutants(RECORDED, fuzz_examples())):
        runs, unreadable = chain.read(mutant, str(number))
        strange += unreadable
        by_id = {run.external_id: run for run in runs if run.status is Status.SUCCEEDED}
        for name in (f"{number}-before", f"{number}-after"):
            assert name in by_id, str(mutant)
            assert by_id[name].type == "orders.sync", str(mutant)
            assert len(by_id[name].events) == 3, str(mutant)
        for run in runs:
            chain.check(run)
    assert strange


def test_the_rows_of_strange_events_are_stored_beside_those_of_their_neighbours(
    source: ScriptedSource, read: Callable[[], Read]
) -> None:
    number = max(fuzz_examples() // 10, 20)
    chain = _Chain()
    some = enumerate(mutants(RECORDED, number, seed=7))
    source.pages = [chain.read(mutant, str(count))[0] for count, mutant in some]
    read()
    names = [f"{count}-{side}" for count in range(number) for side in ("before", "after")]
    neighbours = JobRun.objects.filter(external_id__in=names, status="succeeded")
    assert neighbours.count() == len(names)
