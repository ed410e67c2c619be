"""A signed-in browser for the pages' tests, and what a page says."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client
from django.urls import reverse

from console.access.models import Role, User
from quotas.enforcement.models import Rollout


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
    match = re.search(
        rf'<input[^>]*name="{re.escape(name)}"[^>]*?value="([^"]*)"', response.content.decode()
    )
    assert match, f"no input named {name}"
    return html.unescape(match[1])


def through(client: Client, path: str, form: dict[str, Any], confirm: str = "") -> Rollout:
    """Edit, preview, reason, rollout: the whole way with what the pages offer."""
    proposed = client.post(path, form)
    assert proposed.status_code == 302, said(proposed)
    before = Rollout.objects.count()
    page = client.get(proposed["Location"])
    assert Rollout.objects.count() == before
    sent = {"fingerprint": field_value(page, "fingerprint"), "reason": "because"}
    done = client.post(f"{proposed['Location']}apply/", {**sent, "confirm": confirm})
    assert done.status_code == 302, said(done)
    rollout = Rollout.objects.latest("pk")
    assert done["Location"] == reverse("enforcement:rollout", args=[rollout.pk])
    return rollout


def of(name: str, slug: str = "acme") -> str:
    """The path of a page of one tenant."""
    return reverse(f"changes:{name}", args=[slug])
