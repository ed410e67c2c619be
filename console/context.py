"""What every page's frame shows: navigation, theme, who is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from console.access.contracts import Permission
from console.access.rights import granted
from console.navigation import entries

THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the rail. `key` is the second key of its shortcut: g, then key."""

    label: str
    url: str
    icon: str
    key: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one page, as templates/base.html reads it."""

    site_name: str
    demo: bool
    theme: str
    nav: tuple[NavItem, ...]
    may_operate: bool
    may_administer: bool
    at_people: bool


def frame(request: HttpRequest) -> dict[str, Frame]:
    """Context processor: `frame` for base.html. One look at the session, no further queries."""
    theme = request.COOKIES.get("theme", "auto")
    return {
        "frame": Frame(
            site_name=settings.SITE_NAME,
            demo=settings.DEMO,
            theme=theme if theme in THEMES else "auto",
            nav=_navigation(request.path) if granted(request, Permission.VIEW) else (),
            may_operate=granted(request, Permission.OPERATE),
            may_administer=granted(request, Permission.ADMINISTER),
            at_people=request.path.startswith(reverse("access:people")),
        )
    }


def _navigation(path: str) -> tuple[NavItem, ...]:
    return tuple(
        NavItem(entry.label, url, entry.icon, entry.key, current=_is_at(path, url))
        for entry in entries()
        for url in (reverse(entry.view),)
    )


def _is_at(path: str, url: str) -> bool:
    return path == url or (url != "/" and path.startswith(url))
