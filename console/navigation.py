"""What apps offer to the frame: entries of the rail, and pages of objects that the ledger names.

An app says so in its config, since the frame imports nothing that stands on it:

    class PlansConfig(AppConfig):
        navigation = (NavEntry("Plans", "plans:plans", icon="plans", key="p", place=30),)
        object_pages = {"plan": ObjectPage("plans:plan", slug="label")}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from django.apps import apps
from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True, slots=True)
class NavEntry:
    """One entry of the rail. `view` is the name of its page, `key` the second key of its shortcut
    (g, then key), `place` where it stands: smaller is higher."""

    label: str
    view: str
    icon: str
    key: str
    place: int


class ObjectPage:
    """The page of objects of one type; `arguments` say which field of a ledger entry each argument
    of its URL is. `formerly` is what older entries call the type: they are never written again."""

    def __init__(
        self, view: str, *, formerly: str = "", **arguments: Literal["label", "id"]
    ) -> None:
        self.view = view
        self.formerly = formerly
        self.arguments: Mapping[str, str] = arguments


@cache
def entries() -> tuple[NavEntry, ...]:
    """The entries of every app, from the top."""
    return tuple(sorted(_declared(), key=lambda entry: entry.place))


def _declared() -> Iterator[NavEntry]:
    for config in apps.get_app_configs():
        yield from getattr(config, "navigation", ())


@cache
def _object_pages() -> dict[str, ObjectPage]:
    pages: dict[str, ObjectPage] = {}
    for config in apps.get_app_configs():
        pages |= getattr(config, "object_pages", {})
    return pages


def types_of(object_type: str) -> tuple[str, ...]:
    """Every name that entries have for a type, whichever of them is asked for."""
    for current, page in _object_pages().items():
        if page.formerly and object_type in {current, page.formerly}:
            return current, page.formerly
    return (object_type,)


def page_of(object_type: str, *, id: str, label: str) -> str:
    """The URL of an object's page; empty where there is none."""
    page = _object_pages().get(types_of(object_type)[0])
    if page is None:
        return ""
    values = {"id": id, "label": label}
    try:
        return reverse(page.view, kwargs={arg: values[of] for arg, of in page.arguments.items()})
    except NoReverseMatch:  # a label that is none of ours: an object that was refused
        return ""
