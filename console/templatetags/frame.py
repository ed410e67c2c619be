"""Parts of pages and of forms; the list with usage is at the top of headroom.py beside it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.forms import BaseForm, BoundField, CheckboxInput
from django.http import HttpRequest
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from console.templatetags.headroom import icon as draw_icon

register = template.Library()


@register.inclusion_tag("console/_empty_state.html")
def empty_state(
    title: str, text: str = "", url: str = "", label: str = "", icon: str = "empty"
) -> dict[str, str]:
    """Says what is not there and what to do next, with the button for it."""
    return {"title": title, "text": text, "url": url, "label": label, "icon": icon}


@register.inclusion_tag("console/_panel.html")
def panel(url: str, every: int = 0, lines: int = 2, id: str = "") -> dict[str, Any]:
    """A part of the page that another URL renders: loaded at once, then every `every` seconds."""
    trigger = f"load, every {every}s" if every else "load"
    return {"url": url, "trigger": trigger, "lines": range(lines), "id": id}


@register.simple_tag
def field(bound: BoundField) -> SafeString:
    """One form field: label, control, help and errors, tied together for screen readers."""
    described = []
    below = ""
    if bound.help_text:
        described.append(f"{bound.auto_id}_help")
        below += format_html('<p class="help" id="{}_help">{}</p>', bound.auto_id, bound.help_text)
    if bound.errors:
        described.append(f"{bound.auto_id}_error")
        below += format_html(
            '<p class="error" id="{}_error">{} {}</p>',
            bound.auto_id,
            draw_icon("alert"),
            " ".join(str(error) for error in bound.errors),
        )
    attrs: dict[str, str | bool] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attrs["aria-invalid"] = "true"
    is_box = isinstance(bound.field.widget, CheckboxInput)
    return format_html(
        '<div class="{}"><label for="{}">{}{}</label>{}{}</div>',
        "field field-box" if is_box else "field",
        bound.id_for_label,
        bound.label,
        ""
        if bound.field.required or is_box
        else mark_safe(' <span class="optional">optional</span>'),
        bound.as_widget(attrs=attrs),
        mark_safe(below),  # noqa: S308 - made by format_html above
    )


@register.inclusion_tag("console/_form_errors.html")
def form_errors(form: BaseForm) -> dict[str, Any]:
    """The errors of a form that belong to no single field."""
    return {"errors": form.non_field_errors()}


@register.inclusion_tag("console/_pager.html", takes_context=True)
def pager(context: Context, page: Any) -> dict[str, Any]:
    """Links to the next and the previous keyset page, keeping every filter of the URL."""
    request: HttpRequest = context["request"]
    return {
        "previous": _with_cursor(request, page.previous),
        "next": _with_cursor(request, page.next),
    }


def _with_cursor(request: HttpRequest, cursor: str) -> str:
    if not cursor:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return f"?{query.urlencode()}"


@register.inclusion_tag("console/_chip.html", takes_context=True)
def chip(context: Context, parameter: str, value: object, label: str = "") -> dict[str, Any]:
    """An active filter; its cross removes the parameter from the URL."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    query.pop(parameter, None)
    query.pop("cursor", None)
    return {"name": label or parameter, "value": value, "url": f"?{query.urlencode()}"}


@lru_cache(maxsize=32)
def _fingerprint(path: str) -> str:
    file = finders.find(path)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:8] if file else ""


@register.simple_tag
def asset(path: str) -> str:
    """The URL of a static file, with a fingerprint of its content: cached long, never stale."""
    if settings.DEBUG:
        _fingerprint.cache_clear()
    return f"{staticfiles_storage.url(path)}?v={_fingerprint(path)}"
