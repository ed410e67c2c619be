"""The components that every page uses: states, numbers, pictures here; parts of pages and of
forms in frame.py beside it. All are builtins: no {% load %} is needed.

States, time, numbers
    {% condition "synced" %}                       icon and word; states: see STATES below
    {% condition row.condition "owned by argocd" %}   with a visible note after the word
    {% dot "unreachable" %}                        the same as a small dot, the word beside it
    {% ago when %}                                 3 min ago; exact time in UTC and local on hover
    {% amount "1.5 cores" 1500 %}                  human form, raw value on hover
    {% amount None %}  {% amount "" reason="target unreachable" %}   – with the reason on hover
    {% copyable tenant.slug %}                     monospace id, copied by a click
    {% icon "search" %}                            decorative; names in console/_sprite.html
    {{ name|visible }}                             a text from outside: nothing in it acts unseen

Pictures (build the dataclasses of console/charts.py in a selector)
    {% headroom_bar bar %}                         picture plus its headroom number
    {% headroom_bar bar number=False %}            picture alone
    {% sparkline spark %}
    {% progress done total %}  {% progress done total refused=3 label="prod-gke" %}

Structure
    {% empty_state "No tenants yet" url="/tenants/new/" label="Add a tenant" %}
      What to do next, in words.
    {% endempty_state %}
    {% panel "/targets/dots/" every=20 %}          loads a partial; not polled in hidden tabs
    {% panel "/tenants/acme/jobs/" lines=4 %}      loads once; four skeleton lines meanwhile
    {% field form.reason %}                        label, control, help, errors tied by aria
    {% form_errors form %}                         errors that belong to no field
    {% diff_table before after %}                  field by field, before → after
    {% pager page %}                               console.database.keyset.Page: newer / older links
    {% filter_text "q" filters.q label="Name" %}   in <form class="filters">
    {% filter_choice "kind" filters.kind label="Kind" choices=kinds unset="any" %}
    {% chip "status" "active" %}                   an active filter with a link that removes it
    {% kept_for "rollouts" %}  {% kept_here %}     how long things are kept before they go
    {% asset "console/headroom.css" %}             static URL that changes with the file's content
    {% querystring after=cursor %}                 Django's own: this page's URL with a change

Plain CSS classes, no tag needed (console/static/console/headroom.css, top comment):
    .page-head .panel .grid-2 .grid-3 .table(.rows .cards) .wide-only .tabs .facts
    .button(.primary .quiet .danger .small) .filters .note(.warn .bad) .toolbar .muted
    .num .mono .stack .split .tag
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from typing import Any, Literal

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from console.pages.charts import HeadroomBar, Sparkline
from console.pages.diff import ValueChange, field_changes
from console.pages.visible import visible as make_visible

register = template.Library()

# state: (word, icon, tone). Tones: quiet, moving, warn, bad, off.
STATES: dict[str, tuple[str, str, str]] = {
    "synced": ("Synced", "synced", "quiet"),
    "progressing": ("Progressing", "progressing", "moving"),
    "drifted": ("Drifted", "drifted", "warn"),
    "conflict": ("Conflict", "conflict", "bad"),
    "unreachable": ("Unreachable", "unreachable", "bad"),
    "refused": ("Refused", "refused", "bad"),
    "suspended": ("Suspended", "suspended", "off"),
    "unknown": ("Unknown", "unknown", "off"),
    "unchecked": ("Not checked", "unknown", "warn"),
    "waiting": ("Waiting", "waiting", "quiet"),
    "running": ("Running", "progressing", "moving"),
    "done": ("Done", "synced", "quiet"),
    "failed": ("Failed", "failed", "bad"),
    "superseded": ("Superseded", "superseded", "off"),
    "cancelled": ("Cancelled", "superseded", "off"),
    "active": ("Active", "synced", "quiet"),
    "offboarding": ("Off-boarding", "superseded", "warn"),
    "offboarded": ("Off-boarded", "superseded", "off"),
    "draft": ("Draft", "draft", "off"),
    "published": ("Published", "synced", "quiet"),
    "retired": ("Retired", "superseded", "off"),
    "near": ("Near limit", "near", "warn"),
    "over": ("Over limit", "over", "bad"),
    "healthy": ("Healthy", "synced", "quiet"),
    "lease": ("Lease", "lease", "moving"),
    "paused": ("Paused", "suspended", "off"),
    "succeeded": ("Succeeded", "synced", "quiet"),
    "timed_out": ("Timed out", "lease", "bad"),
    "terminated": ("Terminated", "refused", "off"),
    "continued": ("Continued as new", "superseded", "quiet"),
    "lost": ("Worker lost", "unreachable", "bad"),
    "deleted": ("Deleted unfinished", "failed", "bad"),
    "ended": ("Ended without saying how", "unknown", "warn"),
    "deterministic": ("Deterministic", "synced", "quiet"),
    "diverged": ("Diverged", "drifted", "bad"),
    "malformed": ("Malformed history", "failed", "bad"),
    "crashed": ("Crashed", "failed", "bad"),
    "no_history": ("No history", "unknown", "off"),
}

_DOTS = {"quiet": "", "bad": "dot-bad", "off": "dot-off"}
"""Classes of a dot by tone; every other tone warns."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def _icon(name: str) -> str:
    return f'<svg class="icon" aria-hidden="true"><use href="#i-{escape(name)}"/></svg>'


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative icon of templates/console/_sprite.html; put the word beside it."""
    return mark_safe(_icon(name))  # noqa: S308 - the name is escaped


@register.filter
def visible(text: object) -> str:
    """A text from outside with nothing in it that acts unseen; escaping is the template's."""
    return make_visible(str(text))


@lru_cache(maxsize=256)
def _state(key: str) -> str:
    known = STATES.get(key) or (key.replace("_", " ").capitalize() or "Unknown", "unknown", "off")
    word, glyph, tone = known
    return f'<span class="state state-{tone}">{_icon(glyph)}<span>{escape(word)}</span></span>'


@register.simple_tag
def condition(state: object, note: object = "") -> SafeString:
    """A state as icon and word, the same everywhere. `note` says why, in a few words."""
    shown = _state(str(state).lower())
    if note:
        shown += f' <span class="state-note">{escape(str(note))}</span>'
    return mark_safe(shown)  # noqa: S308 - the parts are escaped


@register.simple_tag
def dot(state: object) -> SafeString:
    """A state as a small dot; the word stands beside it. Quiet and filled is how it should be."""
    tone = STATES.get(str(state).lower(), STATES["unknown"])[2]
    kind = _DOTS.get(tone, "dot-warn")
    return mark_safe(f'<span class="dot {kind}"></span>')  # noqa: S308 - one of our own classes


def age(seconds: float) -> str:
    """ "3 min ago" for a positive number of seconds, "in 3 min" for a negative one."""
    size = abs(seconds)
    if size < 5:
        return "now"
    if size < _MINUTE:
        text = f"{int(size)} s"
    elif size < _HOUR:
        text = f"{int(size // _MINUTE)} min"
    elif size < _DAY:
        text = f"{int(size // _HOUR)} h"
    else:
        text = f"{int(size // _DAY)} d"
    return f"{text} ago" if seconds > 0 else f"in {text}"


@register.simple_tag
def ago(when: datetime | Literal[""] | None, never: str = "never") -> SafeString:
    """Relative time in a <time> element; headroom.js keeps it fresh and adds local time. A template
    says "" where there is no row to have a time."""
    if not when:
        return mark_safe(f'<span class="muted">{escape(never)}</span>')  # noqa: S308 - escaped
    iso = when.astimezone(UTC).isoformat(timespec="seconds")[:19]
    shown = age((timezone.now() - when).total_seconds())
    return mark_safe(  # noqa: S308 - digits only
        f'<time datetime="{iso}Z" title="{iso[:10]} {iso[11:]} UTC">{shown}</time>'
    )


@register.simple_tag
def amount(text: object, raw: object = None, reason: str = "not known yet") -> SafeString:
    """A quantity in human form with its raw value on hover; an unknown one is – with a reason."""
    if text is None or text == "":
        shown = f'<span class="num muted" title="{escape(reason)}">–</span>'
    else:
        hover = "" if raw is None else f' title="{escape(str(raw))}"'
        shown = f'<span class="num"{hover}>{escape(str(text))}</span>'
    return mark_safe(shown)  # noqa: S308 - the parts are escaped


@register.simple_tag
def copyable(value: object, shown: object = "") -> SafeString:
    """An id in monospace that a click copies; without JavaScript it is plain, selectable text."""
    text = escape(str(value))
    return mark_safe(  # noqa: S308 - escaped
        f'<button type="button" class="copy" data-copy="{text}" title="Copy {text}">'
        f"{escape(str(shown)) if shown else text}</button>"
    )


@register.simple_tag
def headroom_bar(bar: HeadroomBar | None, number: bool = True) -> SafeString:  # noqa: FBT001, FBT002 - a template argument
    """The product's own picture, with the headroom as a number beside it."""
    if bar is None:
        return mark_safe('<span class="muted" title="no limit">–</span>')
    room = ""
    if number:
        tone = "over" if bar.is_over else "near" if bar.is_near else "fine"
        room = f'<span class="hroom hroom-{tone}">{escape(_room_text(bar))}</span>'
    return mark_safe(f'<span class="hline">{bar.svg()}{room}</span>')  # noqa: S308 - escaped


def _room_text(bar: HeadroomBar) -> str:
    return bar.headroom_text or ("over" if bar.is_over else "–")


@register.simple_tag
def sparkline(spark: Sparkline | None) -> SafeString:
    """A short history; nothing at all where there is none."""
    return mark_safe(spark.svg() if spark else "")  # noqa: S308 - charts.py escapes its texts


@register.simple_tag
def progress(done: int, total: int, refused: int = 0, label: str = "") -> SafeString:
    """A progress line with its counts: done (solid), refused (red), the rest waiting."""
    share = 100 / total if total else 0
    words = f"{done} of {total} done" + (f", {refused} refused" if refused else "")
    name = escape(f"{label}: {words}" if label else words)
    # What is over is quiet: only what still moves has the accent.
    tone = "over" if done >= total else "done"
    bad = (
        f'<rect class="pline-bad" x="{done * share:.1f}%" width="{refused * share:.1f}%" '
        f'height="6"/>'
        if refused
        else ""
    )
    return mark_safe(  # noqa: S308 - the label is escaped
        f'<span class="pline"><svg role="img" aria-label="{name}" width="100%" height="6">'
        f'<rect class="pline-rest" width="100%" height="6" rx="3"/>'
        f'<rect class="pline-{tone}" width="{done * share:.1f}%" height="6" rx="3"/>{bad}</svg>'
        f'<span class="num">{done}/{total}</span></span>'
    )


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value or "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and not any(
        isinstance(inner, dict | list) for inner in value.values()
    ):
        return ", ".join(f"{name}={_plain(inner)}" for name, inner in value.items()) or "none"
    return json.dumps(value, ensure_ascii=False, default=str)


_DIFF_HEAD = (
    '<table class="diff"><thead><tr><th scope="col">Field</th><th scope="col">Before</th>'
    '<th scope="col">After</th></tr></thead><tbody>'
)
_MADE_HEAD = (
    '<table class="diff"><thead><tr><th scope="col">Field</th><th scope="col">Value</th></tr>'
    "</thead><tbody>"
)


def _diff_row(change: ValueChange) -> str:
    before = f"<del>{escape(_plain(change.before))}</del>"
    after = f"<ins>{escape(_plain(change.after))}</ins>"
    if change.kind == "added":
        before = '<span class="muted">not there</span>'
    elif change.kind == "removed":
        after = '<span class="muted">gone</span>'
    return (
        f'<tr class="diff-{change.kind}"><th scope="row" class="mono">'
        f"{escape(change.path or 'value')}</th><td>{before}</td><td>{after}</td></tr>"
    )


def _made_row(change: ValueChange) -> str:
    return (
        f'<tr><th scope="row" class="mono">{escape(change.path or "value")}</th>'
        f"<td>{escape(_plain(change.after))}</td></tr>"
    )


@register.simple_tag
def diff_table(before: Any, after: Any) -> SafeString:
    """Before → after, one line per field that differs; of something new, its values alone."""
    if before is None and isinstance(after, dict) and after:
        made = "".join(map(_made_row, field_changes(before, after)))
        return mark_safe(f"{_MADE_HEAD}{made}</tbody></table>")  # noqa: S308 - escaped above
    rows = "".join(map(_diff_row, field_changes(before, after)))
    shown = f"{_DIFF_HEAD}{rows}</tbody></table>" if rows else _SAME
    return mark_safe(shown)  # noqa: S308 - every value is escaped above


_SAME = '<p class="muted">No values changed.</p>'
