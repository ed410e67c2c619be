"""Runs with names that nobody would choose: every page shows them safely, and finds them again."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.access.models import Role, User
from console.errors import DomainError
from observability.engines.contracts import EventKind, LinkKind, Status
from observability.jobs.models import JobLink, JobRun
from observability.jobs.rules.search_words import search_words
from observability.jobs.services.saved import keep
from tests.console.pages.test_visible import UNSEEN
from tests.observability.jobs.factories import make_events, make_run, make_tenant, seen
from tests.properties import examples
from tests.rest import Rest

pytestmark = pytest.mark.django_db
ALL = "".join(mark for mark in UNSEEN if mark != "\0")
RAW = re.compile("|".join(map(re.escape, UNSEEN)))
KEPT = re.compile(r'<textarea\b[^>]*>.*?</textarea>|\s(?:value|data-copy)="[^"]*"', re.DOTALL)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("olga", role=Role.ADMIN))
    return client


def named(external_id: str, **fields: Any) -> JobRun:
    """A run with that id, found as ingest makes it."""
    run = make_run(external_id=external_id, **fields)
    words = search_words(run.external_id[:400], run.run_id, run.type, run.external_id, run.failure)
    JobRun.objects.filter(pk=run.pk).update(search=words)
    return run


def test_no_page_holds_a_mark_that_acts_unseen(operator: Client) -> None:
    text = f"evil{ALL}txt"
    tenant = make_tenant("acme", name=text, contact=text)
    run = named(
        text, tenant=tenant, type=text, queue=text, worker=text, failure=text, started_by=text,
        build=text, location=text, status=Status.FAILED, attributes={text: text},
    )  # fmt: skip
    make_events(run, [seen(1, EventKind.FAILED, title=text, message=text, actor=text,
                           step=text, step_name=text, detail={text: text})])  # fmt: skip
    JobLink.objects.create(run=run, kind=LinkKind.TRACE, value="4bf9")
    event = run.events.get()
    paths = [
        "/jobs/", f"/jobs/{run.pk}/", f"/jobs/{run.pk}/live/", f"/jobs/{run.pk}/events/",
        f"/jobs/{run.pk}/events/{event.pk}/", "/jobs/facets/", f"/jobs/{run.pk}/actions/",
        f"/jobs/{run.pk}/replays/", f"/jobs/{run.pk}/actions/terminate/", "/jobs/panels/failures/",
        "/jobs/panels/tenant/acme/", "/tenants/acme/", "/tenants/", "/",
    ]  # fmt: skip
    requests: list[tuple[str, dict[str, str]]] = [(path, {}) for path in paths]
    requests += [("/jobs/", {"q": f'id:"{text}"'}), ("/jobs/", {"q": f'"{text}"'}),
              ("/jobs/", {"type": text}), ("/audit/", {"actor": text}), ("/search/", {"q": text}),
              ("/jobs/facets/", {"q": f'type:"{text}"'}),
              ("/jobs/actions/batch/", {"q": f'id:"{text}"'}),
              ("/jobs/replays/new/", {"q": f'id:"{text}"'})]  # fmt: skip
    shown = 0
    for path, query in requests:
        answer = operator.get(path, query, follow=True)
        assert answer.status_code in (200, 286), (path, answer.status_code)
        page = KEPT.sub("", answer.content.decode())
        assert not RAW.search(page), (path, RAW.search(page))
        shown += "⟨U+202E⟩" in page
    assert shown > 8


def is_found(client: Client, run: JobRun, text: str) -> bool:
    """Whether the search box finds the run by its id as it is written there."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    page = client.get("/jobs/", {"q": f'id:"{quoted}"'})
    assert page.status_code == 200, page.content.decode()
    return f'href="/jobs/{run.pk}/"' in page.content.decode()


LONG = [
    "a" * 900,
    "order-" + "-".join(str(number) for number in range(270)),
    "é" * 1_000,
    "\x01" * 1_000,
    "-" * 999 + "x",
    "x" * 39 + "y" * 800 + " and more words than one",
    ("word " * 190).strip(),
]
ODD = [
    "evil\u202etxt", "zero\u200bwidth", 'with "quotes" in it', '"', "back\\slash", '\\"', "a:b:c",
    "id:id:", "100%_of\\it", "a,b", "https://x/y?z=1", "(a OR b)*", "'; DROP TABLE x; --", "😀👩‍👧",
    "İıŞß", "tab\tin it", "⟨U+202E⟩", "<script>alert(1)</script>", "{{ x }}", "…", "١٢٣", "²",
    " order", "order ", "\u00a0order", "  two words  ",
]  # fmt: skip


@pytest.mark.parametrize("name", [*LONG, *ODD])
def test_any_id_that_a_page_shows_is_found_by_it(operator: Client, name: str) -> None:
    run = named(name)
    named("another")
    page = operator.get(f"/jobs/{run.pk}/").content.decode()
    shown = html.unescape(re.findall(r"<title>(.*?) ·", page)[0])
    assert shown
    copied = html.unescape(re.findall(r'data-copy="([^"]*)"', page)[0])
    assert is_found(operator, run, name)
    assert copied == name
    read_off = "".join(
        letter if letter.isprintable() else f"⟨U+{ord(letter):04X}⟩" for letter in name
    )
    assert is_found(operator, run, read_off)
    assert not is_found(operator, run, f"{name}-not")
    answer = Rest(Role.VIEWER).get("jobs/", id=name)
    assert [row["id"] for row in answer.json()["results"]] == [run.pk]


@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"),
        min_size=1,
        max_size=300,
    ).filter(lambda text: text.strip() and "⟨U+" not in text)
)
def test_any_text_is_found_by_its_beginning_and_whole(name: str) -> None:
    client = Rest(Role.VIEWER, f"v{User.objects.count()}")
    JobRun.objects.all().delete()
    run = named(name)
    beginning = name[: max(1, len(name) // 2)]
    for text in (name, beginning if beginning.strip() else name):
        answer = client.get("jobs/", id=text)
        assert answer.status_code == 200, answer.content
        assert [row["id"] for row in answer.json()["results"]] == [run.pk], ascii((text, name))


def test_what_is_too_long_to_be_saved_is_refused_in_words(operator: Client) -> None:
    answer = operator.post("/jobs/saved/", {"q": "x" * 1_001, "name": "long"}, follow=True)
    assert "at most 1000 characters" in answer.content.decode()
    grows = "\\x " * 300  # between quotation marks a backslash is written as two
    with pytest.raises(DomainError, match="at most 1000 can be saved"):
        keep(user=User.objects.get(), name="grows", query=f'"{grows}"')
