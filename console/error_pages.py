"""Pages for what Django refuses or a fault ends before a view can say it: no database, no session.

Below /api/ the middleware of `console.rest` makes problems of the same answers.
"""

from __future__ import annotations

import sys
from typing import Final

import structlog
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views import defaults

from console.database.availability import RETRY_AFTER, is_unavailable

TOO_LARGE: Final = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
"""What Django raises where a request brings more than is taken."""

log = structlog.get_logger(__name__)


def too_large() -> HttpResponse:
    """413: the body is larger, or has more fields, than is taken."""
    return HttpResponse(loader.render_to_string("413.html"), status=413)


def unreadable(status: int) -> HttpResponse:
    """400 or 415: an address or a header that cannot be what anybody means."""
    return HttpResponse(loader.render_to_string("400.html"), status=status)


def unavailable(error: BaseException) -> HttpResponse:
    """503 for a database that is busy or away, with when to ask again."""
    log.warning("database.unavailable", error=type(error.__cause__ or error).__name__)
    page = loader.render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    if isinstance(exception, TOO_LARGE):
        return too_large()
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500, called while the exception is handled: also of middleware, which finds
    no session where there is no database."""
    error = sys.exc_info()[1]
    if error is not None and is_unavailable(error):
        return unavailable(error)
    return defaults.server_error(request)
