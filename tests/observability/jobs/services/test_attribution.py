"""Runs that ended before anybody was placed where they ran."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from console.audit.models import Entry
from observability.engines.contracts import Engine, run_key
from observability.jobs.models import Attribution, JobRun
from tenants.models import Placement, Target
from tests.observability.jobs.factories import NOON, make_run, make_target, make_tenant

pytestmark = pytest.mark.django_db


def attribute(target: Target, *more: str) -> str:
    out = StringIO()
    call_command("attribute", "--target", target.slug, *more, stdout=out)
    return out.getvalue()


def owners() -> dict[str, str | None]:
    return dict(JobRun.objects.values_list("external_id", "tenant__slug"))


def place(target: Target, tenant: str, location: str) -> None:
    Placement.objects.create(tenant=make_tenant(tenant), target=target, location=location)


def test_past_runs_of_a_place_go_to_whoever_is_placed_there_with_a_reason_in_the_ledger() -> None:
    target = make_target()
    place(target, "acme", "invoices")
    make_run(target, external_id="late", queue="invoices")
    make_run(target, external_id="elsewhere", queue="other")
    make_run(make_target("second"), external_id="another-target", queue="invoices")
    assert attribute(target, "--dry-run") == "acme would get 1 run\n"
    assert set(owners().values()) == {None}
    assert attribute(target, "--reason", "placed after ingest began") == "acme got 1 run\n"
    assert owners() == {"late": "acme", "elsewhere": None, "another-target": None}
    run = JobRun.objects.get(external_id="late")
    assert run.attribution == Attribution.PLACEMENT
    assert run.updated_at > NOON  # whoever asks for what changed since is told
    entry = Entry.objects.get(action="jobs.attribute")
    assert (entry.tenant, entry.actor, entry.reason) == (
        "acme",
        "attribute",
        "placed after ingest began",
    )
    assert attribute(target, "--reason", "once more").startswith("No unattributed run")
    assert Entry.objects.filter(action="jobs.attribute").count() == 1


def test_what_a_run_named_counts_once_such_a_tenant_exists() -> None:
    target = make_target()
    place(target, "globex", "invoices")
    make_tenant("acme")
    for name, declared in (("a", "acme"), ("b", "nobody"), ("c", ["acme"])):
        make_run(target, external_id=name, queue="invoices", attributes={"TenantId": declared})
    attribute(target, "--reason", "acme was entered late")
    assert owners() == {"a": "acme", "b": "globex", "c": "globex"}
    assert JobRun.objects.get(external_id="a").attribution == Attribution.DECLARED


def test_children_that_say_nothing_follow_their_parent_on_temporal_only() -> None:
    for engine in (Engine.TEMPORAL, Engine.KUBERNETES):
        target = make_target(engine.value, kind=engine.value)
        place(target, "acme", "own")
        # The grandchild has the lowest number: it was heard of first.
        for name, parent in (("grandchild", "child"), ("child", "parent"), ("parent", "")):
            above = run_key(engine, "default", f"{engine}-{parent}", parent) if parent else ""
            queue = "" if parent else "own"
            make_run(
                target,
                external_id=f"{engine}-{name}",
                run_id=name,
                queue=queue,
                parent_key=above,
            )
        attribute(target, "--reason", "placed late")
    owner_of = owners()
    assert {owner_of[f"temporal-{name}"] for name in ("parent", "child", "grandchild")} == {"acme"}
    assert owner_of["kubernetes-parent"] == "acme"
    assert owner_of["kubernetes-child"] is None


def test_what_is_somebodys_stays_so_and_who_leaves_gets_nothing() -> None:
    target = make_target()
    place(target, "acme", "invoices")
    place(target, "globex", "left")
    Placement.objects.filter(location="left").update(leaving=True)
    make_run(target, external_id="taken", queue="invoices", tenant=make_tenant("initech"))
    make_run(target, external_id="left", queue="left")
    assert attribute(target, "--reason", "tidy up").startswith("No unattributed run")
    assert owners() == {"taken": "initech", "left": None}


def test_it_is_refused_without_a_reason_or_a_target() -> None:
    target = make_target()
    with pytest.raises(CommandError, match="Say why"):
        attribute(target)
    with pytest.raises(CommandError, match="No such target: nowhere"):
        call_command("attribute", "--target", "nowhere", "--reason", "because")
