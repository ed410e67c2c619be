"""Whatever engines and jobs say: names, payloads and secrets that nobody should have to expect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.errors import Refused, Unreachable
from observability.engines.contracts import Status
from observability.ingest.reading import Read
from observability.jobs.models import ArchiveState, Attribution, JobEvent, JobRun
from observability.jobs.rules.bounding import CUT
from observability.jobs.services.archive import archived_document
from tenants.models import Placement, Target
from tests.observability.jobs.factories import make_tenant
from tests.observability.jobs.fakes import ScriptedSource, event, history, look

pytestmark = pytest.mark.django_db
Reading = Callable[[], Read]
NASTY = [
    "<script>alert(1)</script>",
    "'; DROP TABLE jobs_jobrun; --",
    "nul\x00inside",
    "half \ud83d of a pair",
    "‮right to left",
    "%s %(x)s {0} {{x}}",
    "\U0001f525" * 900,
    "x" * 5000,
    "/../../etc/passwd",
]


def test_names_of_any_kind_become_rows_of_their_own(source: ScriptedSource, read: Reading) -> None:
    source.pages = [
        [
            look(
                name,
                Status.FAILED,
                type=name,
                queue=name,
                worker=name,
                failure=name,
                parent=name,
                attributes={name: [name]},
                events=(event(1, key=name, title=name, message=name, detail={name: name}),),
                document=name.encode(errors="replace"),
            )
            for name in NASTY
        ]
    ]
    read()
    assert JobRun.objects.count() == len(NASTY)
    assert JobEvent.objects.count() == len(NASTY)
    for run in JobRun.objects.all():
        assert run.archive == ArchiveState.STORED
        assert archived_document(run).data
        assert ".." not in run.archive_path
    read()
    assert JobRun.objects.count() == len(NASTY)


def test_a_payload_of_ten_megabytes_is_bounded_in_rows_and_whole_in_the_archive(
    source: ScriptedSource, read: Reading
) -> None:
    payload = "p" * 10_000_000
    document = f'{{"input": "{payload}"}}'.encode()
    source.pages = [[look("big", Status.SUCCEEDED, needs_history=True)]]
    source.histories = {"big": history(0, document)}
    source.histories["big"] = type(source.histories["big"])(
        events=(event(1, detail={"input": payload}, message=payload),),
        document=document,
        media="application/json",
        complete=True,
    )
    read()
    stored = JobEvent.objects.get()
    assert stored.detail[CUT] > 10_000_000
    assert len(stored.message) <= 2000
    assert archived_document(JobRun.objects.get()).data == document


def test_secrets_are_nowhere_in_rows(source: ScriptedSource, read: Reading) -> None:
    secret = "hunter2-very-secret"
    source.pages = [
        [
            look(
                "a",
                Status.FAILED,
                failure=f"login failed: password={secret}",
                attributes={"api_key": secret, "url": f"postgres://me:{secret}@db/x"},
                events=(
                    event(1, detail={"input": {"Password": secret}}),
                    event(2, message=f"Authorization: Bearer {secret}", title=f"token: {secret}"),
                ),
            )
        ]
    ]
    read()
    rows = [*JobRun.objects.values(), *JobEvent.objects.values()]
    assert secret not in repr(rows)


def test_nobodys_runs_are_shown_as_such(source: ScriptedSource, read: Reading) -> None:
    make_tenant("acme")
    source.pages = [[look("a", tenant="nobody-knows"), look("b", tenant="acme"), look("c")]]
    read()
    owners = {run.external_id: (run.tenant_id, run.attribution) for run in JobRun.objects.all()}
    assert owners["a"] == owners["c"] == (None, Attribution.NONE)
    assert owners["b"][1] == Attribution.DECLARED


def test_a_run_belongs_to_whoever_is_placed_there(
    source: ScriptedSource, read: Reading, target: Target
) -> None:
    acme, globex = make_tenant("acme"), make_tenant("globex")
    Placement.objects.create(tenant=acme, target=target, location="invoices")
    for tenant in (acme, globex):
        Placement.objects.create(
            tenant=tenant,
            target=target,
            location="shared",
            sharing="shared",
            fairness_key=f"key-{tenant.slug}",
        )
    source.pages = [
        [
            look("a"),
            look("b", queue="shared", fairness_key="key-globex"),
            look("c", queue="shared"),
            look("d", tenant="globex"),
        ]
    ]
    read()
    owners = dict(JobRun.objects.values_list("external_id", "tenant__slug"))
    assert owners == {"a": "acme", "b": "globex", "c": None, "d": "globex"}
    Placement.objects.all().delete()
    source.pages.append([look("a", revision="2")])
    read()
    assert JobRun.objects.get(external_id="a").tenant == acme
    Placement.objects.create(tenant=globex, target=target, location="invoices")
    source.pages.append([look("a", Status.SUCCEEDED, "3"), look("e")])
    read()
    owners = dict(JobRun.objects.values_list("external_id", "tenant__slug"))
    assert (owners["a"], owners["e"]) == ("acme", "globex")


def test_one_history_that_cannot_be_read_stops_no_other(
    source: ScriptedSource, read: Reading
) -> None:
    def broken(step: str) -> None:
        if step == "history bad":
            raise ValueError("malformed")
        if step == "history refused":
            raise Refused("not for you")

    source.before = broken
    names = ("bad", "refused", "good", "gone")
    source.pages = [[look(name, Status.SUCCEEDED, needs_history=True) for name in names]]
    source.histories = {name: history(2) for name in names[:3]}
    read()
    runs = {run.external_id: run for run in JobRun.objects.all()}
    assert (runs["good"].archive, runs["good"].event_count) == (ArchiveState.STORED, 2)
    assert (runs["gone"].archive, runs["gone"].history_due) == (ArchiveState.UNAVAILABLE, False)
    for name in ("bad", "refused"):
        assert (runs[name].history_due, runs[name].history_tries) == (True, 1)
        assert runs[name].history_not_before is not None
    assert "malformed" in runs["bad"].history_error


def test_an_engine_that_goes_away_costs_no_run_a_try(source: ScriptedSource, read: Reading) -> None:
    def gone(step: str) -> None:
        if step.startswith("history"):
            raise Unreachable("connection refused")

    source.before = gone
    source.pages = [[look("a", Status.SUCCEEDED, needs_history=True)]]
    source.histories = {"a": history(2)}
    with pytest.raises(Unreachable):
        read()
    run = JobRun.objects.get()
    assert (run.history_due, run.history_tries, run.history_not_before) == (True, 0, None)
    source.before = lambda _step: None
    read()
    run.refresh_from_db()
    assert (run.archive, run.event_count) == (ArchiveState.STORED, 2)
