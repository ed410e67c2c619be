"""Every moment that a page shows is in one zone, UTC, and says so: in the text, on hover, and for
machines, whatever zone whoever runs or reads it lives in."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from tests.access.test_matrix import built
from tests.access.test_odd_requests import pages
from tests.access.world import SESSION, World

__all__ = ["built"]  # a fixture

pytestmark = pytest.mark.django_db
TIME = re.compile(r"<time\b([^>]*)>")
ATTRIBUTE = re.compile(r'\b(datetime|title)="([^"]*)"')
SHOWN = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?P<zone>.{0,6})", re.DOTALL)
CLOCK = re.compile(r"(?<![\d:T-])\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?![\d:])(?P<zone>.{0,6})", re.DOTALL)
ZONE = re.compile(r" UTC|Z|\+00:00")
WHOLE = 19
"""Letters of a moment to the second."""


def text_of(page: str) -> str:
    """What is read of a page, without what stands in form fields."""
    bare = re.sub(r"<(script|style|svg|template|textarea)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", bare)))


def wrong_in(page: str) -> list[str]:
    """Moments of a page that are of another zone, or of none."""
    wrong = []
    for tag in TIME.findall(page):
        attributes = dict(ATTRIBUTE.findall(tag))
        moment, title = attributes.get("datetime", ""), attributes.get("title", "")
        at = datetime.fromisoformat(moment) if moment else None
        if at is None or at.utcoffset() != UTC.utcoffset(None):
            wrong.append(f"<time{tag}> is not in UTC")
        elif title[:WHOLE] != f"{at:%Y-%m-%d %H:%M:%S}" or not title.endswith(" UTC"):
            wrong.append(f"<time{tag}> says another moment, or not in which zone")
    text = text_of(page)
    wrong += [
        text[max(shown.start() - 30, 0) : shown.end() + 30]
        for shown in (*SHOWN.finditer(text), *CLOCK.finditer(text))
        if not ZONE.match(shown["zone"])
    ]
    return wrong


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_every_moment_on_every_page_is_in_one_zone_and_names_it(built: World, zone: str) -> None:
    client, wrong, having = built.clients["admin", SESSION], [], set()
    with timezone.override(zone):
        for path in pages(built):
            answer = client.get(path)
            if answer.status_code != 200 or "html" not in answer.get("Content-Type", ""):
                continue
            page = answer.content.decode()
            wrong += [f"{path}: {problem}" for problem in wrong_in(page)]
            if TIME.search(page):
                having.add(re.sub(r"(?<=/)(\d+|acme|globex|lab|standard)(?=/)", "_", path))
    assert wrong == []
    assert {"/", "/tenants/_/", "/jobs/_/", "/targets/_/", "/rollouts/_/", "/audit/"} <= having


def test_the_moments_of_a_run_are_the_same_in_every_zone(built: World) -> None:
    client = built.clients["admin", SESSION]
    for path in pages(built):
        if not re.fullmatch(r"/jobs/\d+/", path):
            continue
        moments = {}
        for zone in ("UTC", "Asia/Kolkata", "America/St_Johns"):
            with timezone.override(zone):
                text = text_of(client.get(path).content.decode())
            moments[zone] = [shown[0] for shown in SHOWN.finditer(text)]
        assert len(moments["UTC"]) > 0
        assert moments["Asia/Kolkata"] == moments["America/St_Johns"] == moments["UTC"]
