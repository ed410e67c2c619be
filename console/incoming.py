"""Requests as they come in: what cannot be meant, and what is too much, is refused before any of
it is used.

Django reads the query in the character set that a Content-Type names, of whatever codec of Python's
that may be, while it makes the request: nothing could catch what goes wrong there. So the requests
that our applications (`WSGI`, `ASGI`) make know only character sets that are used, and leave what
is wrong with the headers to `Limits`.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters

from console import error_pages

# What browsers and programs send. Python knows many more, not all of which can decode a form.
_CHARSETS: Final = {"utf-8", "ascii", "iso8859-1", "cp1252"}


class _Typed(HttpRequest):
    """Sets its encoding only where its Content-Type names one that can be used."""

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        kind, parameters = _parsed(str(meta.get("CONTENT_TYPE", ""))) or ("", {})
        self.content_type, self.content_params = kind, parameters
        if (codec := _codec_of(parameters)) in _CHARSETS:
            self._encoding = codec


class _WSGIRequest(_Typed, WSGIRequest): ...


class _ASGIRequest(_Typed, ASGIRequest): ...


class WSGI(WSGIHandler):
    """Django's WSGI application, with requests of ours."""

    request_class = _WSGIRequest


class ASGI(ASGIHandler):
    """Django's ASGI application, with requests of ours."""

    request_class = _ASGIRequest


class Limits:
    """Refuses a body that is too large before any of it is read (413), a Content-Type or character
    set that no form of ours is sent in (415), and a NUL in an address (400): no text holds one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if _length(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return error_pages.too_large()
        if not _is_readable(str(request.META.get("CONTENT_TYPE", ""))):
            return error_pages.unreadable(415)
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return error_pages.unreadable(400)
        _forget_what_cannot_be_read(request)
        return self.get_response(request)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # as Django takes it: then nothing is read


def _is_readable(content_type: str) -> bool:
    parsed = _parsed(content_type)
    return parsed is not None and _codec_of(parsed[1]) in {"", *_CHARSETS}


def _forget_what_cannot_be_read(request: HttpRequest) -> None:
    """An Accept that is none, and a cookie with a NUL in it (which quotes can bring in), count as
    not sent."""
    accepted = str(request.META.get("HTTP_ACCEPT", ""))
    if any(_parsed(kind) is None for kind in accepted.split(",")):
        del request.META["HTTP_ACCEPT"]
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        if "\0" in request.COOKIES.get(name, ""):
            del request.COOKIES[name]


def _parsed(header: str) -> tuple[str, dict[str, str]] | None:
    """(kind, parameters) of a header such as Content-Type; None where it cannot be read."""
    try:
        return parse_header_parameters(header)
    except (ValueError, LookupError):
        return None


def _codec_of(parameters: Mapping[str, str]) -> str:
    """Python's name of the character set that a Content-Type says; "" where it says none, or one
    that nobody knows, which Django passes over too."""
    try:
        return codecs.lookup(parameters.get("charset", "")).name
    except (LookupError, ValueError):
        return ""
