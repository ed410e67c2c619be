"""Who reads on when a reader was killed: free at once on its own host, after seconds elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from console.database.holders import own_holder
from observability.ingest import claims
from observability.ingest.claims import HELD_SECONDS, ClaimLost, ClaimWatch, claimed, hold
from observability.jobs.models import IngestState
from tenants.models import Target
from tests.observability.jobs.factories import make_target
from tests.waiting import until

pytestmark = pytest.mark.django_db

ELSEWHERE = "another-host|a-boot|pid:[1]|77|12345"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Our own clock, which only moves when it is told to."""
    now = [1000.0]
    monkeypatch.setattr("observability.ingest.claims.time.monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def held_by(holder: str, until: datetime | None = None) -> Target:
    """A target that somebody reads."""
    target = make_target()
    end = until or timezone.now() + timedelta(seconds=HELD_SECONDS)
    IngestState.objects.create(
        target=target, claim="theirs", claimed_until=end, claim_holder=holder
    )
    return target


def is_free(target: Target, watch: ClaimWatch | None = None) -> bool:
    with claimed(target.pk, watch) as claim:
        return claim is not None


def test_the_claim_of_a_process_that_was_killed_is_free_at_once_on_its_host() -> None:
    say = "from console.database.holders import own_holder; print(own_holder())"
    ended = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    assert is_free(held_by(ended.stdout.strip()))


def test_the_claim_of_a_process_that_runs_is_not_free() -> None:
    target = held_by(own_holder())
    assert not is_free(target)
    with claimed(make_target("other").pk) as claim:
        assert claim is not None
        state = IngestState.objects.get(target__slug="other")
        assert (state.claim, state.claim_holder) == (claim.token, own_holder())


def test_a_claim_from_elsewhere_is_free_when_it_stood_still_for_seconds(
    clock: Callable[[float], None],
) -> None:
    target, watch = held_by(ELSEWHERE), ClaimWatch()
    assert not is_free(target, watch)
    clock(HELD_SECONDS - 0.1)
    assert not is_free(target, watch)
    clock(0.2)
    assert is_free(target, watch)


@pytest.mark.parametrize("fast", [-50, 0, 50])
def test_the_clock_of_another_host_decides_nothing(
    clock: Callable[[float], None], fast: int
) -> None:
    ends = timezone.now() + timedelta(seconds=fast)
    target, watch = held_by(ELSEWHERE, ends), ClaimWatch()
    for number in range(1, 5):
        assert not is_free(target, watch)
        clock(HELD_SECONDS - 0.1)
        renewed = ends + timedelta(seconds=2 * number)
        IngestState.objects.filter(target=target).update(claimed_until=renewed)
    assert not is_free(target, watch)
    assert watch.renewed


def test_what_ended_long_ago_is_free_for_whoever_comes() -> None:
    assert is_free(held_by(ELSEWHERE, timezone.now() - timedelta(hours=1)))


def test_of_two_who_take_it_at_once_one_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    target = held_by(ELSEWHERE, timezone.now() - timedelta(hours=1))

    def overtaken(_: str) -> bool:
        IngestState.objects.filter(target=target).update(claim="faster")
        return True

    monkeypatch.setattr(claims, "has_ended", overtaken)
    IngestState.objects.filter(target=target).update(claimed_until=timezone.now())
    assert not is_free(target)
    assert IngestState.objects.get(target=target).claim == "faster"


@pytest.mark.django_db(transaction=True)
def test_all_claims_of_a_process_are_renewed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEW_SECONDS", 0.05)
    one, other = make_target("one"), make_target("other")
    with claimed(one.pk) as first, claimed(other.pk) as second:
        assert first is not None
        assert second is not None
        taken = list(IngestState.objects.values_list("claimed_until", flat=True))
        until(lambda: not IngestState.objects.filter(claimed_until__in=taken).exists())
        IngestState.objects.filter(target=one).update(claim="somebody else")
        until(lambda: first.lost)
        assert not second.lost
        with pytest.raises(ClaimLost):
            hold(one.pk, first.token)
    assert IngestState.objects.get(target=one).claim == "somebody else"
    assert IngestState.objects.get(target=other).claim == ""


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_costs_nobody_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEW_SECONDS", 0.01)
    tries: list[datetime] = []

    def away(now: datetime) -> datetime:
        tries.append(now)
        raise DatabaseError("locked")

    with claimed(make_target().pk) as claim:
        assert claim is not None
        monkeypatch.setattr(claims, "_end", away)
        until(lambda: len(tries) > 2)
        assert not claim.lost
