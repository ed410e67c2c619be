"""Ingest is killed at every point where it could be, and begins again: nothing is lost or doubled.

A kill is an exception that nothing catches: what is in memory is gone, what was committed stays.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability.engines.contracts import LinkKind, RunSnapshot, Status
from observability.ingest import histories, reading, store
from observability.ingest import pages as stored_pages
from observability.ingest.reading import Read
from observability.jobs.models import IngestState, JobDocument, JobEvent, JobLink, JobRun
from observability.jobs.services import archive, archive_due
from tests.observability.jobs.fakes import ScriptedSource, event, history, look
from tests.properties import examples

pytestmark = pytest.mark.django_db
Reading = Callable[[], Read]


class Killed(BaseException):
    """SIGKILL, as far as the code is concerned."""


class Killer:
    """Kills at the `at`-th step; counts them."""

    def __init__(self) -> None:
        self.at = -1
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        """One point at which a process may end."""
        self.steps.append(name)
        if len(self.steps) - 1 == self.at:
            raise Killed(name)

    def begin(self, at: int = -1) -> None:
        """From here on; -1 never kills."""
        self.at, self.steps = at, []

    def around(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        """Makes points before and after a function of a module."""
        real = getattr(module, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.step(f"before {name}")
            result = real(*args, **kwargs)
            self.step(f"after {name}")
            return result

        monkeypatch.setattr(module, name, watched)


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch, source: ScriptedSource) -> Killer:
    """Points before and after each commit, inside each transaction, and around each object."""
    trap = Killer()
    trap.around(monkeypatch, reading, "store_page")
    trap.around(monkeypatch, store, "save_runs")
    trap.around(monkeypatch, store, "insert_events")
    trap.around(monkeypatch, stored_pages, "_advance")
    trap.around(monkeypatch, histories, "store")
    trap.around(monkeypatch, histories, "_finish")
    trap.around(monkeypatch, archive, "put")
    trap.around(monkeypatch, archive, "record_stored")
    source.before = trap.step
    return trap


def _forget(kept: Path) -> None:
    JobEvent.objects.all().delete()
    JobRun.objects.all().delete()
    IngestState.objects.all().delete()
    for path in kept.rglob("*.zst"):
        path.unlink()


def _everything(kept: Path) -> dict[str, Any]:
    """All that can be told from outside, without what a clock or a counter of rows has to do."""
    columns = (
        *("external_id", "run_id", "status", "closed_at", "worker", "event_count", "archive"),
        *("archive_sha256", "history_due", "history_through", "history_tries", "search"),
        *("revision", "marks", "attributes"),
    )
    state = IngestState.objects.get()
    return {
        "runs": sorted(map(repr, JobRun.objects.values_list(*columns))),
        "events": sorted(JobEvent.objects.values_list("run__external_id", "seq", "key")),
        "links": sorted(JobLink.objects.values_list("run__external_id", "kind", "value")),
        "waiting": JobDocument.objects.filter(body__isnull=False).count(),
        "cursor": state.cursor,
        "through": state.through,
        "events_read": state.events_read,
        "caught_up": state.caught_up,
        "objects": sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*.zst")),
    }


def _until_done(killer: Killer, read: Reading) -> None:
    """Reads until there is nothing more to do: a read that takes no step finds the same again."""
    for _ in range(4):
        taken = len(killer.steps)
        read()
        if len(killer.steps) == taken:
            return
    raise AssertionError(f"it never rests: {killer.steps[taken:]}")


def _try_every_point(killer: Killer, read: Reading, kept: Path) -> None:
    _forget(kept)
    killer.begin()
    _until_done(killer, read)
    wanted, points = _everything(kept), len(killer.steps)
    assert points > 5
    paths = set(JobRun.objects.exclude(archive_path="").values_list("archive_path", flat=True))
    assert paths <= set(wanted["objects"])
    for point in range(points):
        _forget(kept)
        killer.begin(point)
        with pytest.raises(Killed):
            _until_done(killer, read)
        name = killer.steps[-1]
        killer.begin()
        _until_done(killer, read)
        assert _everything(kept) == wanted, f"killed {name} (step {point})"


def _script(source: ScriptedSource) -> None:
    source.pages = [
        [
            look("a", events=(event(1), event(2)), links={LinkKind.TRACE: "t1"}),
            look("b", Status.FAILED, "5", needs_history=True, failure="boom"),
            look("c", Status.SUCCEEDED, "5", document=b'{"c": 1}', events=(event(3),)),
        ],
        [
            look("a", Status.SUCCEEDED, "9", needs_history=True, events=(event(2), event(4))),
            look("gone", Status.SUCCEEDED, "3", needs_history=True),
        ],
        [look("open", needs_history=True)],
    ]
    source.histories = {
        "a": history(6, b'{"a": 1}', run=look("a", Status.SUCCEEDED, "9", worker="w1")),
        "b": history(3, b'{"b": 1}'),
        "open": history(2, b""),
    }


def test_nothing_is_lost_or_doubled_wherever_it_is_killed(
    killer: Killer, source: ScriptedSource, read: Reading, kept: Path
) -> None:
    _script(source)
    _try_every_point(killer, read, kept)


STATUSES = st.sampled_from([Status.RUNNING, Status.SUCCEEDED, Status.FAILED])


@st.composite
def pages(draw: st.DrawFn) -> list[list[RunSnapshot]]:
    """A few pages about a few runs, in any order, with and without events and documents.

    Whoever has histories to be fetched (Temporal: b and c) opens no closed run again; who does
    (Argo: a) gives the document along with the end, as nobody could fetch it later.
    """
    sequence: list[list[RunSnapshot]] = []
    for _ in range(draw(st.integers(1, 3))):
        page = []
        for name in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3)):
            status, fetched = draw(STATUSES), name != "a"
            ended = 10 if fetched and status is not Status.RUNNING else 0
            page.append(
                look(
                    name,
                    status,
                    str(draw(st.integers(1, 4)) + ended),
                    events=tuple(event(seq) for seq in draw(st.sets(st.integers(1, 5)))),
                    needs_history=fetched and draw(st.booleans()),
                    worker=draw(st.sampled_from(["", "w1", "w2"])),
                    document=draw(st.none() | st.just(f'{{"{name}": 1}}'.encode())),
                )
            )
        sequence.append(page)
    return sequence


@settings(
    max_examples=examples(8),  # some 200 kills, each with all the reading that follows
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pages())
def test_whatever_the_engine_says_it_may_be_killed_anywhere(
    killer: Killer,
    source: ScriptedSource,
    read: Reading,
    kept: Path,
    script: list[list[RunSnapshot]],
) -> None:
    source.pages = script
    source.histories = {name: history(4, f'{{"{name}": 1}}'.encode()) for name in "abc"}
    _try_every_point(killer, read, kept)


def test_two_documents_of_one_run_are_both_found_again(
    source: ScriptedSource, read: Reading, kept: Path
) -> None:
    """A manual retry overwrites what the engine has; the archive keeps what was there before."""
    source.pages = [
        [look("a", Status.FAILED, "1", document=b"first")],
        [look("a", revision="2")],
        [look("a", Status.SUCCEEDED, "3", document=b"second")],
    ]
    read()
    run = JobRun.objects.get()
    assert archive.archived_document(run).data == b"second"
    earlier = run.documents.get()
    assert earlier.path in {path.relative_to(kept).as_posix() for path in kept.rglob("*.zst")}
    assert archive_due.archive_documents(now=run.updated_at) == 0
