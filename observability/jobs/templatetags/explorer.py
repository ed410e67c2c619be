"""The lines of runs: {% load explorer %}. Written as text, as lines of tenants are, for speed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from console.templatetags.headroom import ago, condition
from observability.jobs.charts.labels import format_duration
from observability.jobs.models import UNKNOWN_TYPE
from observability.jobs.selectors.explorer import RunLine

register = template.Library()

_LONGEST_TYPE, _LONGEST_NAME = 60, 48
_IN_FULL = 500


@register.filter
def age_of(seconds: float) -> str:
    """A length of time in words: 250 is "4 min 10 s"."""
    return format_duration(seconds)


@register.simple_tag
def run_lines(rows: Iterable[RunLine], tenants: bool = True) -> SafeString:  # noqa: FBT001, FBT002 - a template argument
    """The table's lines; without `tenants` on the page of one."""
    lines = "".join(_line(row, tenants=tenants) for row in rows)
    return mark_safe(lines)  # noqa: S308 - every value is escaped below


@register.simple_tag
def run_changes(rows: Iterable[RunLine]) -> SafeString:
    """What can change of lines that are shown, each cell to be swapped in its place."""
    cells = "".join(f"<template>{_changing(row, swap=True)}</template>" for row in rows)
    return mark_safe(cells)  # noqa: S308 - every value is escaped below


def _line(row: RunLine, *, tenants: bool) -> str:
    status, *rest = _cells(row, swap=False)
    kind, name = _cut(row.type or UNKNOWN_TYPE, _LONGEST_TYPE), _cut(row.name, _LONGEST_NAME)
    url = f"{_base('jobs:explorer')}{row.id}/"
    return (
        f"<tr>{status}"
        f'<td class="what"><a class="row" href="{url}" dir="auto" '
        f'title="{escape(row.type)}">{kind}</a> '
        f'<small class="mono" dir="auto" title="{escape(row.name)}">{name}</small></td>'
        f"{_tenant(row) if tenants else ''}"
        f'<td class="fit"><span title="on {row.target}">{row.engine_label}</span></td>'
        f'<td class="fit">{ago(row.created_at)}</td>{"".join(rest)}</tr>'
    )


def _tenant(row: RunLine) -> str:
    if not row.tenant:
        return '<td class="fit"><span class="state state-off">unattributed</span></td>'
    url = f"{_base('enforcement:tenants')}{row.tenant}/"
    return f'<td class="fit"><a class="plain" href="{url}">{row.tenant}</a></td>'


@cache
def _base(view: str) -> str:
    """Where a list is, asked for once: its rows stand below it."""
    return reverse(view)


def _changing(row: RunLine, *, swap: bool) -> str:
    return "".join(_cells(row, swap=swap))


def _cells(row: RunLine, *, swap: bool) -> tuple[str, str, str, str]:
    """Status, time taken, attempts, failure: what may be otherwise at the next look."""
    oob = ' hx-swap-oob="true"' if swap else ""
    return (
        f'<td class="fit" id="run-{row.id}-status"{oob}>{condition(row.status)}</td>',
        f'<td class="num fit" data-label="took" id="run-{row.id}-took"{oob}>{_took(row)}</td>',
        f'<td class="num fit" data-label="tries" id="run-{row.id}-tries"{oob}>'
        f"{row.attempts or ''}</td>",
        f'<td class="why" id="run-{row.id}-why"{oob}>{_why(row)}</td>',
    )


def _took(row: RunLine) -> str:
    if row.took_ms is not None:
        return f'<span title="{row.took_ms} ms">{row.took}</span>'
    if row.took:
        return f'<span class="muted" title="so far">{row.took}…</span>'
    return '<span class="muted" title="not known">–</span>'


def _why(row: RunLine) -> str:
    overdue = ""
    if row.is_overdue:
        overdue = ' <span class="tag" title="It should be gone by now">clean-up overdue</span>'
    if row.why:
        hover = escape(row.why_in_full[:_IN_FULL])
        return f'<span dir="auto" title="{hover}">{escape(row.why)}</span>{overdue}'
    note = row.held or row.progress
    return (f'<small dir="auto">{escape(note)}</small>' if note else "") + overdue


def _cut(text: str, most: int) -> str:
    return escape(text if len(text) <= most else f"{text[:most]}…")
