"""What the pages and endpoints of replays read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Count

from observability.jobs.models import JobRun
from observability.replays.models import Replay, ReplayResult, ResultVerdict, WorkflowBundle

GOOD = frozenset({ResultVerdict.DETERMINISTIC.value})


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """A replay in numbers. `counts` has the verdicts that occurred, the bad ones first."""

    replay: Replay
    counts: tuple[tuple[str, str, int], ...]

    @property
    def waiting(self) -> int:
        """Runs not replayed yet."""
        return self._of(ResultVerdict.NONE)

    @property
    def gone(self) -> int:
        """Runs that were removed after their retention, and their results with them."""
        return self.replay.total - sum(count for _, _, count in self.counts)

    @property
    def done(self) -> int:
        """Runs replayed, whatever came of it, and those that are gone."""
        return self.replay.total - self.waiting

    @property
    def good(self) -> int:
        """Deterministic ones."""
        return self._of(ResultVerdict.DETERMINISTIC)

    @property
    def bad(self) -> int:
        """Replayed, and not deterministic."""
        return self.done - self.good - self.gone

    @property
    def percent(self) -> int:
        """How far it is."""
        return 100 * self.done // self.replay.total if self.replay.total else 100

    def _of(self, verdict: ResultVerdict) -> int:
        return sum(count for value, _, count in self.counts if value == verdict)


def progress_of(replays: Iterable[Replay]) -> list[ReplayProgress]:
    """Each replay in numbers: one query for all of them."""
    wanted = list(replays)
    counts: dict[int, dict[str, int]] = {replay.pk: {} for replay in wanted}
    rows = ReplayResult.objects.filter(replay__in=counts).values_list("replay_id", "verdict")
    for replay_id, verdict, count in rows.annotate(n=Count("id")).order_by():
        counts[replay_id][verdict] = count
    return [ReplayProgress(replay, _sorted_counts(counts[replay.pk])) for replay in wanted]


def _sorted_counts(counts: Mapping[str, int]) -> tuple[tuple[str, str, int], ...]:
    labels = dict(ResultVerdict.choices)
    order = sorted(counts, key=lambda verdict: (verdict in GOOD or not verdict, verdict))
    return tuple((verdict, str(labels.get(verdict, verdict)), counts[verdict]) for verdict in order)


def bundles_for(run: JobRun) -> list[WorkflowBundle]:
    """Usable bundles, those that have the run's workflow first, the newest first among them."""
    usable = WorkflowBundle.objects.filter(retired_at=None).order_by("-created_at")
    return sorted(usable, key=lambda bundle: run.type not in bundle.workflows)


def latest_results(run: JobRun, most: int = 5) -> list[ReplayResult]:
    """The last replays of one run, newest first."""
    results = ReplayResult.objects.filter(run=run).select_related("replay__bundle")
    return list(results.order_by("-id")[:most])
