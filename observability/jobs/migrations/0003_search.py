"""Full-text search over runs with what each database brings along.

The index has the words of JobRun.search and one token for each value that people filter by ("=s" and
the status, "=t" and the tenant's id, …): any combination of words and filters is one look into it.
It narrows; observability.jobs.selectors.search then asks the columns themselves.

PostgreSQL: a generated tsvector column and a GIN index. SQLite: a contentless FTS5 table that triggers
keep. Tables that Django rebuilds on SQLite (AlterField and the like) lose their triggers: a migration
that does so to JobRun has to run `forwards` of this one again.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_POSTGRESQL = (
    """ALTER TABLE jobs_jobrun ADD COLUMN words tsvector GENERATED ALWAYS AS (
        array_to_tsvector(array_remove(string_to_array(search, ' '), '') || ARRAY[
            '=s' || status,
            '=e' || engine,
            '=t' || coalesce(tenant_id::text, '-'),
            '=g' || target_id::text,
            '=y' || md5(type),
            '=q' || md5(queue),
            '=p' || md5(location),
            '=f' || failure_kind,
            CASE WHEN duration_ms IS NULL THEN '=o'
                 ELSE '=d' || length(duration_ms::text)::text || left(duration_ms::text, 1) END
        ])
    ) STORED""",
    # What was written last is looked through one by one: little of it, so that searches stay even.
    """CREATE INDEX job_run_words ON jobs_jobrun USING gin (words)
    WITH (fastupdate = on, gin_pending_list_limit = 512)""",
    "ALTER TABLE jobs_jobrun ALTER COLUMN words SET STATISTICS 0",
    # The planner guesses how common a beginning is, and would read the whole table for a rare one.
    """CREATE FUNCTION jobs_run_matching(wanted tsquery, most integer)
    RETURNS TABLE (id bigint, created_at timestamptz, updated_at timestamptz)
    LANGUAGE sql STABLE ROWS 1000
    SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off
    SET max_parallel_workers_per_gather = 0
    AS $$ SELECT id, created_at, updated_at FROM jobs_jobrun WHERE words @@ wanted LIMIT most $$""",
)
_POSTGRESQL_UNDO = (
    "DROP FUNCTION IF EXISTS jobs_run_matching(tsquery, integer)",
    "ALTER TABLE jobs_jobrun DROP COLUMN IF EXISTS words",
)


def _tokens(row: str) -> str:
    """The words of a row as an SQL expression; `row` is new, old or the table."""
    return f"""{row}.search
        || ' =s' || {row}.status
        || ' =e' || {row}.engine
        || ' =t' || coalesce({row}.tenant_id, '-')
        || ' =g' || {row}.target_id
        || ' =y' || substr(hex({row}.type), -64)
        || ' =q' || substr(hex({row}.queue), -64)
        || ' =p' || substr(hex({row}.location), -64)
        || ' =f' || {row}.failure_kind
        || CASE WHEN {row}.duration_ms IS NULL THEN ' =o'
                ELSE ' =d' || length({row}.duration_ms) || substr({row}.duration_ms, 1, 1) END"""


_ADD = f"INSERT INTO jobs_run_words(rowid, words) VALUES (new.id, {_tokens('new')});"
_REMOVE = (
    "INSERT INTO jobs_run_words(jobs_run_words, rowid, words) "
    f"VALUES ('delete', old.id, {_tokens('old')});"
)
_SQLITE_UNDO = (
    "DROP TRIGGER IF EXISTS jobs_run_words_insert",
    "DROP TRIGGER IF EXISTS jobs_run_words_delete",
    "DROP TRIGGER IF EXISTS jobs_run_words_update",
    "DROP TABLE IF EXISTS jobs_run_words",
)
_SQLITE = (
    *_SQLITE_UNDO,
    """CREATE VIRTUAL TABLE jobs_run_words USING fts5(
        words, content = '', columnsize = 0, detail = none, prefix = '2 3',
        tokenize = "ascii tokenchars '=-_'"
    )""",
    f"CREATE TRIGGER jobs_run_words_insert AFTER INSERT ON jobs_jobrun BEGIN {_ADD} END",
    f"CREATE TRIGGER jobs_run_words_delete AFTER DELETE ON jobs_jobrun BEGIN {_REMOVE} END",
    f"""CREATE TRIGGER jobs_run_words_update AFTER UPDATE ON jobs_jobrun
    WHEN {_tokens("new")} <> {_tokens("old")} BEGIN {_REMOVE} {_ADD} END""",
    f"INSERT INTO jobs_run_words(rowid, words) SELECT id, {_tokens('run')} FROM jobs_jobrun run",
)
_FORWARDS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
_BACKWARDS = {"sqlite": _SQLITE_UNDO, "postgresql": _POSTGRESQL_UNDO}


def forwards(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Adds the index of this database; another kind of database is refused by KeyError."""
    for statement in _FORWARDS[editor.connection.vendor]:
        editor.execute(statement, params=None)


def backwards(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Removes it."""
    for statement in _BACKWARDS[editor.connection.vendor]:
        editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """After the last one that rebuilds the table."""

    dependencies: ClassVar = [("jobs", "0002_documents_and_marks")]
    operations: ClassVar = [migrations.RunPython(forwards, backwards)]
