"""What every request passes through."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from console import deadline, error_pages, health
from console.database.availability import is_unavailable
from console.errors import DomainError, ExternalError
from console.pages.addresses import own_referer
from console.pages.partials import ANY, render_partial_or_page
from console.pages.visible import visible_page
from console.request import client_request_id, current_request_id

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_SAFE = ("GET", "HEAD", "OPTIONS")
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


class RequestId:
    """Gives each request an id of our own, for logs and ledger and as X-Request-ID of the answer.

    What the caller sent as X-Request-ID is only logged, as `client_request_id`: were it ours, acts
    could be filed under the request of somebody else.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = uuid.uuid4().hex
        token = current_request_id.set(request_id)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if sent := client_request_id(request.headers.get("X-Request-ID", "")):
            structlog.contextvars.bind_contextvars(client_request_id=sent)
        try:
            response = self.get_response(request)
        finally:
            current_request_id.reset(token)
        response["X-Request-ID"] = request_id
        return response


class Deadline:
    """Requests that change something are not held by other systems for longer than
    REQUEST_SECONDS: what could not be read or told by then is said, and follows."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in _SAFE:
            return self.get_response(request)
        with deadline.within(settings.REQUEST_SECONDS):
            return self.get_response(request)


class PrivateByDefault:
    """No cache keeps what an answer says, unless the answer itself says how long it may be kept:
    static files do."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        if request.path.startswith("/api/"):
            patch_vary_headers(response, ("Authorization", "Cookie"))
        return response


class HealthMiddleware:
    """Answers /healthz and /readyz before host checks, sessions and sign-in can get in the way."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            return health.readyz()
        return self.get_response(request)


class ContentSecurityPolicy:
    """Only our own scripts and styles run. A view may set its own policy first."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        return response


class VisibleText:
    """On a page, what turns the direction of writing or is not seen at all is shown by its number:
    texts from outside are everywhere, in titles and tooltips too."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if is_page and isinstance(response, HttpResponse) and not response.streaming:
            content = visible_page(response.content)
            if content is not response.content:
                response.content = content
        return response


class DomainErrors:
    """Maps a DomainError or ExternalError that a page did not handle to a page that says it, and
    an error of a database that is busy or away to a 503."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Renders errors/problem.html (a fragment for htmx); lets other exceptions pass."""
        if is_unavailable(error):
            return error_pages.unavailable(error)
        if not isinstance(error, DomainError | ExternalError):
            return None
        status = error.status if isinstance(error, DomainError) else 502
        back = own_referer(request) or "/"
        context = {"problem": error, "site_name": settings.SITE_NAME, "back": back}
        parts = {ANY: "errors/_problem.html"}
        return render_partial_or_page(
            request, "errors/problem.html", context, partials=parts, status=status
        )
