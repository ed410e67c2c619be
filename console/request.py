"""The id of the request (or task) that the current code works for."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")

_LONGEST_CLIENT_ID: Final = 64


def client_request_id(sent: str) -> str:
    """What a caller sent as the id of its request, fit for a log: the visible ASCII characters of
    it, at most 64 of them."""
    return "".join(letter for letter in sent[:256] if "!" <= letter <= "~")[:_LONGEST_CLIENT_ID]
