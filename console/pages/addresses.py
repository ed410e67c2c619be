"""Addresses that come from outside and are to lead back into the console: `next=`, the referer."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django.http import HttpRequest

_LONGEST: Final = 2_000


def own_path(address: str) -> str:
    """`address` where it is an absolute path on this server, with or without a query; else "".

    Nothing that a browser could take for another server passes: no scheme, no host, no second
    slash at the beginning, no backslash (which browsers read as a slash), no control character or
    blank (which they leave out).
    """
    if not address.startswith("/") or address.startswith("//") or len(address) > _LONGEST:
        return ""
    if "\\" in address or any(letter <= " " or letter == "\x7f" for letter in address):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if not parts.scheme and not parts.netloc else ""


def own_referer(request: HttpRequest) -> str:
    """The path that the request says it came from, where that is a page of this server; else ""."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or parts.netloc != request.get_host():
        return ""
    return own_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)
