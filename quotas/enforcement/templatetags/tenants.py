"""The lines of the tenant list: {% load tenants %}.

Fifty lines of a dozen values each are written as text: through template nodes they took most of
the page's time (34 ms of processor instead of 9).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from html import escape

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from console.pages.charts import HeadroomBar
from console.templatetags.headroom import ago, condition, headroom_bar
from quotas.enforcement.selectors.target_loops import UNCHECKED
from quotas.enforcement.selectors.tenant_list import TenantRow

register = template.Library()

LONGEST_PLACES = 60
_SLUG = "slug"  # stands in a URL for the slug that is put there later


@register.simple_tag
def tenant_lines(rows: Iterable[TenantRow], selectable: bool = False) -> SafeString:  # noqa: FBT001, FBT002 - a template argument
    """The table's lines; `selectable` ones begin with a checkbox named `tenants`."""
    lines = "".join(_line(row, selectable=selectable) for row in rows)
    return mark_safe(lines)  # noqa: S308 - every value is escaped below


@register.filter
def gap_tone(condition: str) -> str:
    """The tone of an enforced value that is not the intended one: a push moves, a stop is meant."""
    return {"progressing": "moving", "suspended": "off"}.get(condition, "warn")


def _line(row: TenantRow, *, selectable: bool) -> str:
    slug = escape(row.slug)
    box = (
        f'<td class="fit"><input type="checkbox" name="tenants" value="{slug}" '
        f'aria-label="Select {slug}"></td>'
        if selectable
        else ""
    )
    first, second = (*row.bars, None, None)[:2]
    no_use = '<span class="muted" title="No use has been seen yet">–</span>'
    return (
        f'<tr>{box}<td><a class="row" href="{_url("enforcement:tenant", row.slug)}">{slug}</a> '
        f"<small>{escape(row.name)}</small></td>"
        f'<td class="fit">{_plan(row)}</td>'
        f'<td class="fit"><span title="{escape(row.message)}">{condition(_state(row))}</span></td>'
        f'<td class="bar">{_bar(first) or no_use}</td><td class="bar">{_bar(second)}</td>'
        f"<td><small>{_places(row.placements)}</small></td>"
        f'<td class="fit">{ago(row.changed_at)}</td></tr>\n'
    )


def _state(row: TenantRow) -> str:
    """What is most worth saying: how enforcement stands, or that the tenant is on its way out."""
    settled = row.condition in ("synced", UNCHECKED)
    if row.status == "active" or (row.status == "suspended" and not settled):
        return row.condition
    return row.status


def _plan(row: TenantRow) -> str:
    if not row.plan:
        return '<span class="muted">no plan</span>'
    link = f'<a class="plain" href="{_url("plans:plan", row.plan)}">{escape(row.plan)}</a>'
    return f"{link} <small>v{row.version}</small>"


def _bar(bar: HeadroomBar | None) -> str:
    return f"<small>{escape(bar.label)}</small>{headroom_bar(bar)}" if bar else ""


def _places(text: str) -> str:
    if len(text) > LONGEST_PLACES:
        text = text[: LONGEST_PLACES - 1] + "…"
    # A name is not broken at its hyphens.
    return ", ".join(
        f'<span class="nowrap">{place}</span>' for place in escape(text or "nowhere").split(", ")
    )


def _url(name: str, slug: str) -> str:
    return escape(_pattern(name).replace(_SLUG, slug))


@lru_cache(maxsize=8)
def _pattern(name: str) -> str:
    """Found once: resolving a name a hundred times a page is slower than the database."""
    return reverse(name, args=[_SLUG])
