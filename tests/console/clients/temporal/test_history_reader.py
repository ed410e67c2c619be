"""Reading runs from a real server."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import pytest
from temporalio.client import Client

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.records import RunDescription
from console.errors import NotFound, Refused, Unreachable

pytestmark = pytest.mark.temporal


@dataclass(frozen=True)
class Site:
    """A namespace with runs that nobody takes up: six that were terminated, one that is open."""

    client: TemporalClient
    runs: list[tuple[str, str]]

    @property
    def reader(self) -> HistoryReader:
        return HistoryReader(self.client)


@pytest.fixture(scope="module")
def site(temporal_address: str) -> Site:
    client = TemporalClient(temporal_address, f"trail-{uuid.uuid4().hex[:8]}")
    client.register_namespace(retention=86400)
    client.ensure_search_attributes({"TenantId": "Keyword"})
    return Site(client, asyncio.run(_start(temporal_address, client.namespace)))


async def _start(address: str, namespace: str) -> list[tuple[str, str]]:
    client = await Client.connect(address, namespace=namespace)
    started: list[tuple[str, str]] = []
    for number in range(7):
        handle = await client.start_workflow(
            "Flow", {"n": number}, id=f"run-{number}", task_queue="nobody", memo={"note": number}
        )
        started.append((handle.id, handle.first_execution_run_id or ""))
        for _ in range(number):
            await handle.signal("go", "x" * 500)
        if number:
            await handle.terminate(reason=f"number {number}")
    return started


def test_pages_of_rows_follow_each_other(site: Site) -> None:
    names, token = [], b""
    while True:
        page = site.reader.rows("CloseTime IS NOT NULL", size=4, token=token)
        names += [row.workflow_id for row in page.rows]
        token = page.token
        if not token:
            break
    assert sorted(names) == [f"run-{number}" for number in range(1, 7)]
    assert site.reader.count("CloseTime IS NULL") == 1


def test_a_row_says_all_that_visibility_knows(site: Site) -> None:
    (row,) = site.reader.rows("WorkflowId = 'run-6'").rows
    assert (row.type, row.queue, row.status) == ("Flow", "nobody", "terminated")
    assert row.memo == {"note": 6}
    assert row.history_length == 9
    assert row.history_size > 3000
    assert row.closed_at is not None
    assert row.closed_at >= row.created_at


def test_a_query_that_the_server_cannot_read_is_refused(site: Site) -> None:
    with pytest.raises(Refused):
        site.reader.rows("this is no query")


def test_a_history_is_read_whole(site: Site) -> None:
    history = site.reader.history(*site.runs[3])
    assert [event.id for event in history.events] == [1, 2, 3, 4, 5, 6]
    assert (history.last_id, history.closed) == (6, True)
    assert history.events[-1].message == "number 3"


def test_many_histories_come_in_the_order_in_which_they_were_asked_for(site: Site) -> None:
    gone = ("run-1", str(uuid.uuid4()))
    histories = site.reader.fetch([*site.runs, gone]).result()
    assert histories[-1] is None
    lasts = [history.last_id for history in histories if history is not None]
    assert lasts == [2, 4, 5, 6, 7, 8, 9]


def test_the_same_history_is_the_same_bytes(site: Site) -> None:
    documents = {site.reader.history(*site.runs[5]).document for _ in range(5)}
    assert len(documents) == 1


def test_the_end_of_a_history_is_read_from_its_end(site: Site) -> None:
    history = site.reader.history_after(*site.runs[6], 7)
    assert [event.id for event in history.events if event.id > 7] == [8, 9]
    assert history.document is None
    assert history.closed


def test_what_is_gone_is_not_found(site: Site) -> None:
    gone = ("run-1", str(uuid.uuid4()))
    for read in (site.reader.describe, site.reader.history):
        with pytest.raises(NotFound):
            read(*gone)
    descriptions = site.reader.describe_all([gone, site.runs[0]])
    assert descriptions[0] is None
    assert isinstance(descriptions[1], RunDescription)
    assert descriptions[1].row.status == "running"


def test_a_server_that_nobody_runs_is_unreachable() -> None:
    reader = HistoryReader(TemporalClient("127.0.0.1:9", timeout=2))  # clock: nobody
    with pytest.raises(Unreachable):
        reader.rows("")
    with pytest.raises(Unreachable):
        reader.fetch([("a", "b")]).result()


def test_fetching_can_be_given_up(site: Site) -> None:
    fetching = site.reader.fetch(site.runs * 50)
    fetching.cancel()
    with pytest.raises(Unreachable):
        fetching.result()
