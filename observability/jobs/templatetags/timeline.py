"""The picture of a run: {% load timeline %}."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

from observability.jobs.charts import svg
from observability.jobs.charts.labels import format_duration
from observability.jobs.charts.timeline import Timeline

register = template.Library()


@register.simple_tag
def timeline(picture: Timeline) -> SafeString:
    """The timeline as inline SVG."""
    return mark_safe(picture.svg())  # noqa: S308 - charts.svg escapes its texts


@register.simple_tag
def sign(name: str) -> SafeString:
    """One sign of the timeline, for its legend and beside events. Needs the timeline's picture, or
    `signs`, on the same page."""
    return mark_safe(svg.legend_sample(name))  # noqa: S308 - names of the legend only


@register.filter
def took(milliseconds: int | None) -> str:
    """A length of time from milliseconds; a dash where it is not known."""
    return "–" if milliseconds is None else format_duration(milliseconds / 1000)
