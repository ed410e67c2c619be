"""Limits in templates: {% load limits %}."""

from __future__ import annotations

from django import template

from quotas.plans import charts

register = template.Library()


@register.filter
def human(value: int | None, key: str) -> str:
    """A base value of the limit `key` in human form: {{ lease.value|human:lease.key }}."""
    return charts.human(key, value)


@register.filter
def limit_label(key: str) -> str:
    """The limit's name for people."""
    return charts.label_of(key)
