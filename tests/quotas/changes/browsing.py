"""A signed-in browser for the pages' tests, and what a page says."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

from console.access.models import Role, User


def browser(role: str = Role.ADMIN, name: str = "") -> Client:
    """Somebody of this role, signed in."""
    name = name or f"browsing-{role or 'nobody'}"
    user, _ = User.objects.get_or_create(username=name, defaults={"role": role})
    client = Client()
    client.force_login(user)
    return client


def said(response: Any) -> str:
    """The page's words, without tags and with single blanks."""
    text = re.sub(
        r"<(script|style|svg|template)\b.*?</\1>", " ", response.content.decode(), flags=re.S
    )
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def field_value(response: Any, name: str) -> str:
    """The value of the page's first input of this name."""
    found = re.search(
        rf'<input[^>]*name="{re.escape(name)}"[^>]*?value="([^"]*)"', response.content.decode()
    )
    assert found, f"no input named {name}"
    return html.unescape(found[1])
