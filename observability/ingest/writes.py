"""Many rows into the database at once: one statement where Django's bulk_create takes longer to
write the SQL than either database to carry it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import orjson
from django.db import connection
from django.db.models import Field, Model

from console.chunks import chunks
from observability.engines.contracts import EventKind
from observability.ingest.context import CHUNK
from observability.jobs.models import JobEvent, JobRun

_NAME: Final = ("engine", "target_id", "external_id", "run_id")
_KINDS: Final = {
    "BigIntegerField": "bigint",
    "BooleanField": "boolean",
    "CharField": "text",
    "DateTimeField": "timestamptz",
    "ForeignKey": "bigint",
    "JSONField": "jsonb",
    "PositiveIntegerField": "integer",
    "PositiveSmallIntegerField": "smallint",
    "TextField": "text",
}
"""What PostgreSQL takes the columns as."""


_DENIED: Final = EventKind.DENIED.value
_KIND: Final = 4
"""Where a row of an event has its kind."""
_LAST_AT: Final = {
    "postgresql": "{row}.detail->>'last_at'",
    "sqlite": "json_extract({row}.detail, '$.last_at')",
}


def insert_events(rows: Sequence[Sequence[Any]]) -> None:
    """Inserts events, given as values of the columns after the id in their order (`detail` as JSON
    text); those that are there already are left as they are, but for a refusal that went on: its
    event counts all of them, and has the amounts of the last."""
    _execute(JobEvent, [row for row in rows if row[_KIND] != _DENIED], "ON CONFLICT DO NOTHING")
    table, last_at = JobEvent._meta.db_table, _LAST_AT[connection.vendor]
    later = f"{last_at.format(row='excluded')} > {last_at.format(row=table)}"
    columns = ", ".join(f"{name} = excluded.{name}" for name in ("title", "message", "detail"))
    _execute(
        JobEvent,
        [row for row in rows if row[_KIND] == _DENIED],
        f"ON CONFLICT (run_id, seq, key) DO UPDATE SET {columns} WHERE {later}",
    )


def save_runs(runs: Sequence[JobRun], columns: Iterable[str]) -> None:
    """Inserts runs, or updates the columns of those that are there by name; all have ids then."""
    if not runs:
        return
    name = ", ".join(_NAME)
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns)
    rows = [[read(run) for read in _reads()] for run in runs]
    _execute(JobRun, rows, f"ON CONFLICT ({name}) DO UPDATE SET {updates}")
    _learn_ids([run for run in runs if run._state.adding])


def _learn_ids(runs: Sequence[JobRun]) -> None:
    for some in chunks(runs, CHUNK):
        names = {run.external_id for run in some}
        rows = JobRun.objects.filter(target_id=some[0].target_id, external_id__in=names)
        ids = {
            (external_id, run_id): pk
            for external_id, run_id, pk in rows.values_list("external_id", "run_id", "pk")
        }
        for run in some:
            run.pk = ids[run.external_id, run.run_id]
            run._state.adding = False


def _execute(model: type[Model], rows: Sequence[Sequence[Any]], conflict: str) -> None:
    if not rows:
        return
    fields = _fields(model)
    names = ", ".join(f'"{field.column}"' for field in fields)
    into = f'INSERT INTO "{model._meta.db_table}" ({names})'
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            casts = ", ".join(f"%s::{_KINDS[field.get_internal_type()]}[]" for field in fields)
            columns = [list(column) for column in zip(*rows, strict=True)]
            select = f"SELECT * FROM unnest({casts})"  # noqa: S608 - made of our own columns
            cursor.execute(f"{into} {select} {conflict}", columns)
            return
        marks = ", ".join(["%s"] * len(fields))
        cursor.executemany(f"{into} VALUES ({marks}) {conflict}", _adapted(fields, rows))


def _adapted(fields: Sequence[Field[Any, Any]], rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Moments as SQLite keeps them."""
    moments = [place for place, field in enumerate(fields) if _is_moment(field)]
    adapt = _adapting()
    adapted = [list(row) for row in rows]
    for row in adapted:
        for place in moments:
            row[place] = adapt(row[place])
    return adapted


def _adapting() -> Callable[[Any], Any]:
    """As Django does it; what is UTC already (every moment of ours) at a fraction of the time."""
    slowly = connection.ops.adapt_datetimefield_value
    plain = connection.timezone is UTC

    def adapt(moment: Any) -> Any:
        if plain and isinstance(moment, datetime) and moment.tzinfo is UTC:
            return moment.isoformat(" ")[:-6]
        return slowly(moment)

    return adapt


def _is_moment(field: Field[Any, Any]) -> bool:
    return field.get_internal_type() == "DateTimeField"


@cache
def _fields(model: type[Model]) -> tuple[Field[Any, Any], ...]:
    return tuple(field for field in model._meta.concrete_fields if not field.primary_key)


@cache
def _reads() -> tuple[Callable[[JobRun], Any], ...]:
    return tuple(_read(field) for field in _fields(JobRun))


def _read(field: Field[Any, Any]) -> Callable[[JobRun], Any]:
    """How the value of a column is taken from a run."""
    name, kind = field.attname, field.get_internal_type()
    if kind == "JSONField":
        return lambda run: _json(getattr(run, name))
    if kind in {"CharField", "TextField"}:
        return lambda run: str(getattr(run, name))  # members of TextChoices too
    if name == "first_seen_at":
        return _first_seen
    return lambda run: getattr(run, name)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _first_seen(run: JobRun) -> datetime:
    """Of a run that is there already the column is not written."""
    return run.updated_at if run._state.adding else run.first_seen_at
