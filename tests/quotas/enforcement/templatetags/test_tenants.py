"""The lines of the tenant list are written as text, so what they say is looked at here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from quotas.enforcement.selectors.tenant_list import TenantRow, tight_bar
from quotas.enforcement.templatetags.tenants import tenant_lines

CPU = {"key": "requests.cpu", "used": 1500, "enforced": 2000, "intended": 2000}


def row(**changed: Any) -> TenantRow:
    """One line as the selector makes it."""
    values: dict[str, Any] = {
        "slug": "acme", "name": "Acme", "status": "active", "condition": "synced", "since": None,
        "message": "", "plan": "gold", "version": 3, "bars": (), "placements": "lab/acme",
        "changed_at": datetime(2026, 11, 22, tzinfo=UTC),
    }  # fmt: skip
    return TenantRow(**(values | changed))


def test_a_line_links_to_its_tenant_and_its_plan() -> None:
    line = tenant_lines([row()])
    assert 'href="/tenants/acme/">acme</a>' in line
    assert '/plans/gold/">gold</a> <small>v3</small>' in line
    assert "checkbox" not in line


def test_a_line_can_be_selected_by_those_who_may_act() -> None:
    assert 'type="checkbox" name="tenants" value="acme"' in tenant_lines([row()], selectable=True)


def test_texts_of_people_are_escaped() -> None:
    bad = '<script>"x"</script>'
    line = tenant_lines([row(name=bad, message=bad, placements=bad)], selectable=True)
    assert "<script>" not in line
    assert line.count("&lt;script&gt;") == 3
    assert 'title="&lt;script&gt;&quot;x' in line


def test_the_two_tightest_limits_are_drawn() -> None:
    first, second = tight_bar(CPU), tight_bar({**CPU, "key": "limits.cpu", "used": 2500})
    assert tenant_lines([row(bars=(first, second))]).count('<svg class="hbar') == 2
    assert tenant_lines([row(bars=(first,))]).count('<svg class="hbar') == 1
    assert "No use has been seen yet" in tenant_lines([row()])


def test_a_tenant_that_leaves_says_so_and_a_suspended_one_keeps_its_trouble() -> None:
    assert "Off-boarding" in tenant_lines([row(status="offboarding")])
    assert "Suspended" in tenant_lines([row(status="suspended")])
    assert "Conflict" in tenant_lines([row(status="suspended", condition="conflict")])


def test_what_is_not_there_is_said() -> None:
    line = tenant_lines([row(plan="", version=None, placements="")])
    assert "no plan" in line
    assert "nowhere" in line


def test_long_places_are_cut() -> None:
    line = tenant_lines([row(placements="a" * 61)])
    assert "a" * 59 + "…" in line
    assert "a" * 60 not in line
