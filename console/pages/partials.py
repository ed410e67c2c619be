"""One answer for two askers: a whole page for a browser, a part of it for htmx.

A view names its page and, per element that htmx may swap, the template of that part. Both come from
the view alone: what a client sends picks one of these or none, and none is the whole page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

STOP_POLLING = 286
"""The status on which htmx stops polling: nothing will change by itself any more."""

ANY = ""
"""The key of a part that any element may load."""


def wants_partial(request: HttpRequest, *targets: str) -> bool:
    """Whether htmx swaps one of the elements with these ids; without ids, whether it swaps any.

    A boosted link and a page taken from the history replace the whole page: they want no part.
    """
    htmx = _htmx(request)
    if not htmx or htmx.boosted or htmx.history_restore_request:
        return False
    return not targets or htmx.target in targets


def render_partial_or_page(
    request: HttpRequest,
    page: str,
    context: Mapping[str, Any],
    *,
    partials: Mapping[str, str],
    status: int = 200,
    is_final: bool = False,
) -> HttpResponse:
    """Renders the part that htmx asks for, else the page, with the Vary that keeps caches right.

    `partials`: the id of an element to the template of what stands in it; `ANY` as id is for a part
    that any element may load. `is_final` answers a part with STOP_POLLING. Templates are told
    `is_partial`: what is swapped beside the element itself has no place in a whole page.
    """
    chosen = _chosen(request, partials)
    if chosen and is_final:
        status = STOP_POLLING
    response = render(
        request, chosen or page, {**context, "is_partial": bool(chosen)}, status=status
    )
    return vary_on_partial(response)


def vary_on_partial(response: HttpResponse) -> HttpResponse:
    """The same response, saying to caches that this address answers htmx otherwise."""
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    return response


def _chosen(request: HttpRequest, partials: Mapping[str, str]) -> str:
    htmx = _htmx(request)
    if not htmx or not wants_partial(request):
        return ""
    return partials.get(htmx.target or ANY) or partials.get(ANY, "")


def _htmx(request: HttpRequest) -> HtmxDetails | None:
    """None where the request was answered before HtmxMiddleware saw it."""
    return getattr(request, "htmx", None)
