"""The JSON edge's last word: whatever goes wrong below /api/ is answered with a problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from console.rest.problems import PROBLEM, problem

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_PREFIX: Final = "/api/"
_PAGE: Final = "/api/docs/"
_KEPT_HEADERS: Final = ("Allow", "Retry-After", "WWW-Authenticate", "Cache-Control", "Vary")


@dataclass(frozen=True, slots=True)
class _Answer:
    code: str
    title: str
    detail: str


_BAD_REQUEST: Final = _Answer(
    "bad_request",
    "The request could not be understood",
    "The address, the Host header or the body is not one that can be read here.",
)
_FAULT: Final = _Answer(
    "server_fault",
    "Something in Headroom failed",
    "It is in the log under this request id. Ask again, or show the id to whoever runs Headroom.",
)
_ANSWERS: Final = {
    400: _BAD_REQUEST,
    403: _Answer(
        "permission_denied", "You may not do this", "Your sign-in or your role does not allow it."
    ),
    404: _Answer(
        "not_found", "There is nothing here", "There is nothing at this address; see /api/docs/."
    ),
    405: _Answer(
        "method_not_allowed", "Not with this method", "This address does not take this method."
    ),
    413: _Answer(
        "too_large",
        "The request is too large",
        "The body is larger, or has more fields, than is taken; send less at a time.",
    ),
    415: _Answer(
        "unsupported_media_type", "This is not read here", "Send application/json in UTF-8."
    ),
    500: _FAULT,
    503: _Answer(
        "unavailable",
        "The database is busy or away",
        "Nothing was changed; ask again when Retry-After says.",
    ),
}


class ApiProblems:
    """Makes application/problem+json of every error below /api/ that is not one yet: what is
    refused before an endpoint is reached (host, size, address), and what a fault of ours ends.

    The page for people that lies there, /api/docs/, stays a page for browsers.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code < 400 or not request.path.startswith(_PREFIX):
            return response
        if response.get("Content-Type", "").startswith(PROBLEM) or _is_for_a_browser(request):
            return response
        return _as_problem(response)


def _is_for_a_browser(request: HttpRequest) -> bool:
    return request.path == _PAGE and "text/html" in request.headers.get("Accept", "")


def _as_problem(response: HttpResponseBase) -> HttpResponse:
    status = response.status_code
    answer = _ANSWERS.get(status) or (_FAULT if status >= 500 else _BAD_REQUEST)
    body = problem(code=answer.code, title=answer.title, status_code=status, detail=answer.detail)
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    made = HttpResponse(orjson.dumps(body), status=status, content_type=PROBLEM, headers=headers)
    made.cookies = response.cookies
    return made
