"""`manage.py reconcile`: what it prints and the exit code it leaves with."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.quotas.enforcement.fakes import (
    ARGOCD,
    FakePlane,
    make_target,
    make_tenants,
    make_version,
    unreachable,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


def run(*args: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("reconcile", *args, stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_dry_run_prints_the_diff_and_writes_nothing(plane: FakePlane) -> None:
    make_tenants(make_target(), make_version({"pods": 10}), 1)
    code, text = run("--all", "--dry-run")
    assert code == 1
    assert plane.writes == []
    assert text.splitlines() == [
        "t0 on prod/t0",
        "  create Quota t0/headroom",
        "    hard[pods]: – → 10",
        "1 placements, 1 differ in 1 objects",
    ]


def test_everything_in_order_is_exit_code_0(plane: FakePlane) -> None:
    make_tenants(make_target(), make_version({"pods": 10}), 2)
    code, text = run("--target", "prod")
    assert (code, len(plane.writes)) == (0, 2)
    assert "2 placements, 0 not as intended" in text
    assert run("--all", "--dry-run")[0] == 0


def test_one_tenant_is_synced_alone(plane: FakePlane) -> None:
    make_tenants(make_target(), make_version({"pods": 10}), 3)
    assert run("--tenant", "t1")[0] == 0
    assert plane.writes == ["create Quota t1/headroom"]


def test_a_conflict_is_exit_code_1_and_names_the_owner(plane: FakePlane) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 10}), 1)[0]
    run("--all")
    plane.edit(placement, "pods", 99, ARGOCD)
    code, text = run("--all")
    assert code == 1
    assert "t0 on prod/t0: Conflict Held by argocd: hard[pods]." in text


def test_an_unreachable_target_is_said(plane: FakePlane) -> None:
    target = make_target()
    make_tenants(target, make_version({"pods": 10}), 1)
    plane.down[target.pk] = unreachable()
    code, text = run("--all", "--dry-run")
    assert code == 1
    assert "prod: connection refused" in text


@pytest.mark.parametrize("args", [(), ("--target", "nowhere"), ("--tenant", "nobody")])
def test_a_scope_that_says_nothing_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*args)
