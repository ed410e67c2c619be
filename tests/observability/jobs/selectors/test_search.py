"""Finding runs: every filter, whichever way they are found, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.database.keyset import keyset_page
from observability.engines.contracts import Status
from observability.jobs.models import JobRun
from observability.jobs.rules.query import parse
from observability.jobs.rules.search_words import query_words, search_words
from observability.jobs.selectors import search, tokens
from observability.jobs.selectors.search import KEY, search_for
from tests.observability.jobs.factories import after, make_run, make_target, make_tenant
from tests.properties import examples

pytestmark = pytest.mark.django_db
NOW = after(3600)


def put(name: str, **fields: Any) -> JobRun:
    """A run with that external id, and the words that ingest would have given it."""
    values = {"type": "InvoiceFlow", "worker": "", "failure": ""} | fields
    words = search_words(values["type"], name, values["worker"], values["failure"])
    return make_run(external_id=name, search=words, **values)


@pytest.fixture
def runs() -> None:
    """Six runs that differ in everything."""
    gke, celery = make_target("prod-gke", "kubernetes"), make_target("celery-eu", "celery")
    put("pay-1", tenant=make_tenant("acme"), worker="7@host-a", queue="fast")
    put("pay-2", tenant=make_tenant("acme"), status=Status.FAILED, failure="OOMKilled: 2 GiB",
        failure_kind="out_of_memory", closed_at=after(10), created_at=after(1))  # fmt: skip
    put("mail-1", target=celery, tenant=make_tenant("globex"), type="send_mail",
        status=Status.LOST, failure="worker 9@host-b lost", closed_at=after(3),
        created_at=after(2))  # fmt: skip
    put("train-1", target=gke, type="TrainModel", status=Status.RUNNING, location="ml",
        created_at=after(3))  # fmt: skip
    put("train-2", target=gke, tenant=make_tenant("globex"), type="TrainModel",
        failure="could not connect to 10.0.0.7", status=Status.TIMED_OUT, closed_at=after(1000),
        created_at=after(4))  # fmt: skip
    put("odd-<b>-50%_'x", type="<script>alert(1)</script>", created_at=after(5))


WAYS = {
    "walk": {},
    "index": {"SCANNED_FIRST": 1, "SCANNED_MOST": 0},
    "deep": {"SCANNED_FIRST": 1, "SCANNED_MOST": 0, "HITS_MOST": 0},
}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the ways to find something, whatever the size of the table."""
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(search, name, value)
    return str(request.param)


def names_found(text: str, *, size: int = 3, tenants: list[int] | None = None) -> list[str]:
    """The names that a search gives, page by page of `size`."""
    wanted = search_for(parse(text), now=NOW, tenants=tenants)
    names, cursor = [], ""
    while True:
        page = keyset_page(
            JobRun.objects.all(), cursor=cursor, key=KEY, size=size, take=wanted.take
        )
        names += [run.external_id for run in page.rows]
        if not (cursor := page.next):
            return names


ODD = "odd-<b>-50%_'x"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", [ODD, "train-2", "train-1", "mail-1", "pay-2", "pay-1"]),
        ("tenant:acme", ["pay-2", "pay-1"]),
        ("tenant:none", [ODD, "train-1"]),
        ("tenant:none tenant:acme", [ODD, "train-1", "pay-2", "pay-1"]),
        ("tenant:nobody-has-it", []),
        ("engine:kubernetes", ["train-2", "train-1"]),
        ("engine:celery engine:kubernetes", ["train-2", "train-1", "mail-1"]),
        ("target:celery-eu", ["mail-1"]),
        ("status:bad", ["train-2", "mail-1", "pay-2"]),
        ("status:open", ["train-1"]),
        ("status:failed tenant:acme", ["pay-2"]),
        ("status:failed tenant:globex", []),
        ("type:TrainModel", ["train-2", "train-1"]),
        ("type:trainmodel", []),
        ("queue:fast", ["pay-1"]),
        ("place:ml", ["train-1"]),
        ("failure:out_of_memory", ["pay-2"]),
        ("oom", ["pay-2"]),
        ("OOMKilled", ["pay-2"]),
        ("killed", ["pay-2"]),
        ("omkilled", []),
        ('"OOMKilled: 2"', ["pay-2"]),
        ('"2 OOMKilled"', []),
        ('"not connect"', ["train-2"]),
        ('"could  connect"', []),
        ("connect could", ["train-2"]),
        ("train model", ["train-2", "train-1"]),
        ("train oom", []),
        ("worker:7@host", ["pay-1"]),
        ("worker:host-b", []),
        ("id:pay", ["pay-2", "pay-1"]),
        ("id:PAY-2", ["pay-2"]),
        ("id:ay-2", []),
        ('id:"odd-<b>-50%_\'x"', [ODD]),
        ("id:odd-%", []),
        ('"50%_\'x"', [ODD]),
        ("script alert", [ODD]),
        ("!!! ---", [ODD, "train-2", "train-1", "mail-1", "pay-2", "pay-1"]),
        ("took:<5s", ["mail-1"]),
        ("took:>10m", ["train-2", "train-1"]),
        ("took:>10m status:closed", ["train-2"]),
        ("took:5s..20s", ["pay-2"]),
        ("took:<=1s", ["mail-1"]),
        ("until:2026-11-22T12:00:02Z", ["pay-2", "pay-1"]),
        ("since:2026-11-22T12:00:04Z", [ODD, "train-2"]),
        ("since:1s", []),
        ("since:2h oom", ["pay-2"]),
    ],
)
@pytest.mark.usefixtures("runs", "way")
def test_a_search_finds_what_it_says_on_pages_of_any_size(text: str, names: list[str]) -> None:
    assert names_found(text, size=50) == names
    assert names_found(text, size=1) == names


@pytest.mark.usefixtures("runs", "way")
def test_who_belongs_to_tenants_finds_only_theirs() -> None:
    acme, globex = make_tenant("acme").pk, make_tenant("globex").pk
    assert names_found("", tenants=[acme]) == ["pay-2", "pay-1"]
    assert names_found("tenant:globex", tenants=[acme]) == []
    assert names_found("tenant:none", tenants=[acme, globex]) == []
    assert names_found("oom", tenants=[globex]) == []
    assert names_found("", tenants=[]) == []


@pytest.mark.usefixtures("way")
def test_pages_neither_lose_nor_repeat_while_runs_arrive() -> None:
    for number in range(30):
        put(f"job-{number:02}", created_at=after(number // 4))
    wanted = search_for(parse("job"), now=NOW).take
    first = keyset_page(JobRun.objects.all(), key=KEY, size=10, take=wanted)
    put("job-new", created_at=after(99))
    second = keyset_page(JobRun.objects.all(), cursor=first.next, key=KEY, size=10, take=wanted)
    back = keyset_page(JobRun.objects.all(), cursor=second.previous, key=KEY, size=10, take=wanted)
    names = [run.external_id for run in (*first.rows, *second.rows)]
    assert names == [f"job-{number:02}" for number in range(29, 9, -1)]
    assert [run.external_id for run in back.rows] == names[:10]


def test_the_index_of_words_follows_what_becomes_of_a_run() -> None:
    run = put("pay-1", status=Status.RUNNING)
    assert tokens.matching(((tokens.status("running"),),), most=5)
    run.status, run.search = Status.FAILED, "pay 1 boom"
    run.save()
    assert not tokens.matching(((tokens.status("running"),),), most=5)
    assert tokens.matching(((tokens.status("failed"),), (tokens.word("boo"),)), most=5)
    JobRun.objects.filter(pk=run.pk).update(search="")
    assert not tokens.matching(((tokens.word("boo"),),), most=5)
    assert tokens.matching(((tokens.status("failed"),),), most=0) is None
    run.delete()
    assert tokens.matching(((tokens.status("failed"),),), most=5) == []


@pytest.mark.django_db(transaction=True)
def test_the_index_is_made_of_runs_that_are_there_and_can_be_taken_back() -> None:
    put("pay-1", failure="boom")
    call_command("migrate", "jobs", "0002", verbosity=0)
    call_command("migrate", verbosity=0)
    assert tokens.matching(((tokens.word("boom"),),), most=5)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="triggers keep it on SQLite only")
def test_no_later_migration_has_lost_the_triggers() -> None:
    """Django builds a table anew for most changes on SQLite, without its triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
                       " AND name LIKE 'jobs_run_words_%'")  # fmt: skip
        assert cursor.fetchone() == (3,)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="triggers keep it on SQLite only")
@pytest.mark.django_db(transaction=True)
def test_taking_back_what_rebuilds_the_table_makes_the_index_again() -> None:
    put("pay-1", failure="boom")
    call_command("migrate", "jobs", "0005", verbosity=0)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT emulated FROM jobs_jobrun")
            assert cursor.fetchall() == [(False,)]
            cursor.execute("UPDATE jobs_jobrun SET search = 'bang'")
        assert tokens.matching(((tokens.word("bang"),),), most=5)
    finally:
        call_command("migrate", verbosity=0)
    assert tokens.matching(((tokens.word("bang"),),), most=5)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40))
def test_any_word_can_be_looked_up(text: str) -> None:
    name = text.replace("\0", "") or "x"
    run = put(name[:900])
    for word in query_words(name):
        hits = tokens.matching(((tokens.word(word),),), most=10_000)
        assert hits is not None
        assert run.pk in {hit[0] for hit in hits}
