"""A number of attempts that no column takes is kept as the largest that it does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from observability.engines.contracts import Status
from observability.ingest.reading import Read
from observability.jobs.models import JobRun
from tests.observability.jobs.fakes import ScriptedSource, look

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("attempts", "stored"),
    [(3, 3), (3 * 10**9, 2**31 - 1), (2**63, 2**31 - 1), (-5, 0)],
)
def test_a_run_of_more_attempts_than_a_column_takes_is_stored(
    source: ScriptedSource, read: Callable[[], Read], attempts: int, stored: int
) -> None:
    source.pages = [[look("a", Status.RUNNING, "1", attempts=attempts)]]
    read()
    assert JobRun.objects.get().attempts == stored
    source.pages.append([look("a", Status.RUNNING, "2", attempts=1)])
    read()
    assert JobRun.objects.get().attempts == max(stored, 1)
