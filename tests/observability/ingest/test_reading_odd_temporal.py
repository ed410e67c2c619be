"""Runs of unusual shape on a real Temporal server, through to rows, pages and REST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import Client
from temporalio.client import Client as Temporal

from console.access.models import Role, User
from observability.engines.temporal.source import TemporalSource
from observability.ingest.claims import claimed
from observability.ingest.reading import read_target
from observability.jobs.models import ArchiveState, JobLink, JobRun
from tenants.models import Target, UnreadableObject
from tests.observability.engines.temporal.conftest import new_namespace, target_of
from tests.observability.engines.temporal.memory_reader import Reading
from tests.observability.engines.temporal.odd_workflows import ONCE, QUEUE, at_work, begin, finish
from tests.observability.engines.temporal.test_visibility_undecodable import start_poisoned
from tests.observability.jobs.factories import make_target
from tests.rest import Rest
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.temporal]
IDS = (
    "order", "order/42", "a b(c) d", "50%off", "x#y?z&w", "b'|work|=/+", "\u202egpj.evil",
    "\U0001f680", "parent:Portal:A1", "../../admin", "Svc/Act(product,year:2024 month:4)",
    "n" * 900,
)  # fmt: skip


class Server:
    """A namespace that ingest reads, and what it has of it."""

    def __init__(self, address: str) -> None:
        self.namespace = new_namespace(address)
        self.reading = Reading(TemporalSource(), target_of(address, self.namespace))
        self.target: Target = make_target(
            "real", endpoint=address, options={"namespace": self.namespace, "ui_url": "http://ui"}
        )

    def act(self, act: Callable[[Temporal], Awaitable[Any]], **more: Any) -> Any:
        return at_work(self.reading, act, **more)

    def read(self) -> None:
        with claimed(self.target.pk) as claim:
            assert claim is not None
            read_target(self.target.pk, token=claim.token, wait=0.0)

    def read_until(self, is_there: Callable[[], bool]) -> None:
        def there() -> bool:
            self.read()
            return is_there()

        until(there, "it never came")


@pytest.fixture
def server(temporal_address: str, kept: object) -> Server:
    return Server(temporal_address)


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    return client


def told(name: str) -> JobRun | None:
    """The run of a workflow once its history is read."""
    return JobRun.objects.filter(external_id=name, history_due=False, event_count__gt=0).last()


def test_whole_numbers_have_all_their_digits_on_the_page_and_over_rest(
    server: Server, viewer: Client
) -> None:
    name = server.act(lambda client: finish(client, "bigint"))
    server.read_until(lambda: told(name) is not None)
    run = told(name)
    assert run is not None
    page = viewer.get(f"/jobs/{run.pk}/").content.decode()
    answer = Rest(Role.VIEWER, "rita").get(f"jobs/{run.pk}/events/")
    for digits in ("1180591620717411303425", "9007199254740993"):
        assert digits in page
        assert digits in answer.content.decode()
    results = [row["detail"].get("result") for row in orjson.loads(answer.content)["results"]]
    assert [{"id": str(2**70 + 1), "safe": str(2**53 + 1), "price": 0.1}] in results


def test_a_cron_schedule_is_waited_for_in_the_list_and_on_the_page(
    server: Server, viewer: Client
) -> None:
    name = server.act(
        lambda client: begin(client, "quick", cron_schedule="0 3 * * *"), worker=False
    )
    server.read_until(lambda: told(name) is not None)
    run = told(name)
    assert run is not None
    assert "waits until 03:00 (cron)" in viewer.get("/jobs/").content.decode()
    page = viewer.get(f"/jobs/{run.pk}/").content.decode()
    assert "Waits until 03:00 (cron)" in page
    assert "Nothing has taken it up yet" not in page
    hold = orjson.loads(Rest(Role.VIEWER, "rita").get(f"jobs/{run.pk}/").content)["hold"]
    assert hold["reason"] == "cron"
    assert "T03:00:00" in hold["until"]


def test_a_start_delay_is_waited_for_in_the_list_and_on_the_page(
    server: Server, viewer: Client
) -> None:
    delay = timedelta(days=3)
    name = server.act(lambda client: begin(client, "quick", start_delay=delay), worker=False)
    server.read_until(lambda: told(name) is not None)
    run = told(name)
    assert run is not None
    assert run.hold is not None
    due = f"{run.hold['until'][:10]} {run.hold['until'][11:16]}"
    assert f"waits until {due} (start delay)" in viewer.get("/jobs/").content.decode()
    assert f"Waits until {due} (start delay)" in viewer.get(f"/jobs/{run.pk}/").content.decode()


def test_a_run_that_is_retrying_is_found_by_its_failure_until_it_is_well(
    server: Server, viewer: Client
) -> None:
    async def act(client: Temporal) -> str:
        name = await begin(client, "keeps failing")
        failing = JobRun.objects.filter(external_id=name, status="running").exclude(failure="")
        await asyncio.to_thread(server.read_until, lambda: failing.exists())
        return name

    server.act(act)
    for query in ("declined", "failure:application", 'status:open "card 17 was declined"'):
        listed = viewer.get("/jobs/", {"q": query}).content.decode()
        assert "Retrying: PaymentError: card 17 was declined" in listed, query


def test_a_standalone_activity_is_in_the_trail_with_its_attempts_and_failure(
    server: Server, viewer: Client
) -> None:
    async def act(client: Temporal) -> None:
        handle = await client.start_activity(
            "charge",
            "fails",
            id="alone",
            task_queue=QUEUE,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=ONCE,
        )
        await asyncio.gather(handle.result(), return_exceptions=True)

    server.act(act)
    server.read_until(lambda: JobRun.objects.filter(archive=ArchiveState.STORED).exists())
    run = JobRun.objects.get()
    assert (run.status, run.attempts, run.type) == ("failed", 1, "charge")
    assert run.failure == "PaymentError: card 17 was declined"
    listed = viewer.get("/jobs/", {"q": "declined type:charge status:failed"}).content.decode()
    assert "alone" in listed
    page = viewer.get(f"/jobs/{run.pk}/").content.decode()
    assert "charge failed for good" in page
    assert f"/activities/alone/{run.run_id.removeprefix('activity:')}" in page
    panel = viewer.get(f"/jobs/{run.pk}/replays/").content.decode()
    assert "records no history of this run that could be replayed" in panel
    operator = Client()
    operator.force_login(User.objects.create_user("olga", role=Role.OPERATOR))
    download = operator.get(f"/jobs/{run.pk}/history/")
    assert orjson.loads(download.content)["info"]["activityId"] == "alone"


def test_what_cannot_be_decoded_is_shown_on_its_target_and_costs_no_neighbour(
    server: Server, viewer: Client
) -> None:
    async def act(client: Temporal) -> None:
        await begin(client, "quick", id="before")
        await asyncio.to_thread(start_poisoned, server.reading, "poisoned")
        await begin(client, "quick", id="after")

    server.act(act, worker=False)
    server.read_until(lambda: UnreadableObject.objects.exists() and told("after") is not None)
    assert told("before") is not None
    (odd,) = UnreadableObject.objects.all()
    assert (odd.kind, odd.location) == ("Workflow", server.namespace)
    page = viewer.get(f"/targets/{server.target.slug}/").content.decode()
    assert "cannot be decoded" in page


def test_odd_ids_are_read_linked_and_found(server: Server, viewer: Client) -> None:
    async def act(client: Temporal) -> None:
        for name in IDS:
            await finish(client, "quick", id=name, memo={"headroom.request_id": f"req-{name[:9]}"})

    server.act(act)
    server.read_until(lambda: all(told(name) is not None for name in IDS))
    assert sorted(JobRun.objects.values_list("external_id", flat=True)) == sorted(IDS)
    for name in IDS:
        run = told(name)
        assert run is not None
        assert JobLink.objects.filter(run=run, value=f"req-{name[:9]}").exists()
        page = viewer.get(f"/jobs/{run.pk}/")
        assert page.status_code == 200
        links = [part for part in page.content.decode().split('"') if part.startswith("http://ui/")]
        # Each id is one part of the path: namespaces/NS/workflows/ID/RUN.
        assert links[0].removeprefix("http://ui/").count("/") == 4
        assert links[0].endswith(f"/{run.run_id}")
