"""Parts of pages and of forms; the list with usage is at the top of headroom.py beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.forms import BaseForm, BoundField, CheckboxInput
from django.http import HttpRequest
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from console.pages import kept
from console.templatetags.headroom import icon as draw_icon

register = template.Library()

_LONGEST_CHOICE = 60
"""Characters of a choice in a filter bar: a longer one widens the list past a small screen."""


@register.simple_block_tag
def empty_state(
    content: str, title: str, url: str = "", label: str = "", icon: str = "empty"
) -> SafeString:
    """Says what is not there and, in its content, what to do next, with the button for it."""
    context = {"title": title, "text": content, "url": url, "label": label, "icon": icon}
    return render_to_string("console/_empty_state.html", context)


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


@register.simple_tag
def filter_text(
    name: str,
    value: str,
    label: str,
    placeholder: str = "",
    kind: str = "text",
    wide: bool = False,  # noqa: FBT001, FBT002 - a template argument
    prefix: str = "f",
) -> SafeString:
    """One field of a filter bar that is typed into; `kind` "search" has the browser's cross."""
    hint = f' placeholder="{escape(placeholder)}"' if placeholder else ""
    dir_auto = ' autocomplete="off" spellcheck="false" dir="auto"' if kind == "search" else ""
    return mark_safe(  # noqa: S308 - the parts are escaped
        f'<div class="field{" wide" if wide else ""}">{_filter_label(prefix, name, label)}'
        f'<input type="{escape(kind)}" id="{escape(prefix)}-{escape(name)}" name="{escape(name)}" '
        f'value="{escape(str(value))}"{hint}{dir_auto}></div>'
    )


@register.simple_tag
def filter_choice(
    name: str,
    value: str,
    label: str,
    choices: Iterable[str | tuple[str, str]],
    unset: str = "any",
    prefix: str = "f",
) -> SafeString:
    """One field of a filter bar that is chosen; `choices` are values, or pairs of value and words.

    `unset` are the words of the empty choice, which comes first; without words there is none.
    """
    pairs = [(choice, choice) if isinstance(choice, str) else choice for choice in choices]
    if unset:
        pairs.insert(0, ("", unset))
    options = "".join(
        f'<option value="{escape(str(key))}"{" selected" if str(key) == str(value) else ""}>'
        f"{escape(_cut(str(words)))}</option>"
        for key, words in pairs
    )
    return mark_safe(  # noqa: S308 - the parts are escaped
        f'<div class="field">{_filter_label(prefix, name, label)}'
        f'<select id="{escape(prefix)}-{escape(name)}" name="{escape(name)}">{options}</select>'
        f"</div>"
    )


def _filter_label(prefix: str, name: str, label: str) -> str:
    return f'<label for="{escape(prefix)}-{escape(name)}">{escape(label)}</label>'


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST_CHOICE else f"{words[: _LONGEST_CHOICE - 1]}…"


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


@register.simple_tag
def kept_for(noun: str) -> str:
    """How long things of a kind are kept: "rollouts", "changes", "drafts" …"""
    return kept.kept_for(noun)


@register.simple_tag(takes_context=True)
def kept_here(context: Context) -> str:
    """The same for what is asked for at this address; empty where nothing goes by itself."""
    request: HttpRequest | None = context.get("request")
    return kept.kept_at(request.path) if request is not None else ""


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
