"""Probing a target: what is noted, and what a recovery sets going."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import Role, User
from console.audit.models import Entry
from console.errors import Refused
from quotas.enforcement.models import TargetSample, TargetState
from quotas.enforcement.reconcile.probe import probe
from quotas.enforcement.tasks import probe_target
from tenants.models import Target
from tests.console.clients.scripted import scripted
from tests.quotas.enforcement.fakes import FakePlane, make_target, unreachable

pytestmark = pytest.mark.django_db

Sent = list[tuple[str, tuple[Any, ...]]]


def test_a_probe_notes_health_and_a_sample(plane: FakePlane) -> None:
    target = make_target()
    old = timezone.now() - timedelta(hours=25)
    TargetSample.objects.create(target=target, at=old, latency_ms=3)
    probe(target.pk)
    state = TargetState.objects.get()
    assert (state.condition, state.version, state.latency_ms) == ("synced", "fake 1", 1.5)
    assert state.features == {"fair": True}
    assert [sample.latency_ms for sample in TargetSample.objects.all()] == [1.5]


def test_a_failed_probe_says_since_when(plane: FakePlane) -> None:
    target = make_target()
    plane.down[target.pk] = unreachable()
    probe(target.pk)
    since = TargetState.objects.get().since
    probe(target.pk)
    state = TargetState.objects.get()
    assert (state.condition, state.failures, state.message) == (
        "unreachable", 2, "connection refused",
    )  # fmt: skip
    assert state.since == since
    assert TargetSample.objects.filter(latency_ms=None).count() == 2


def test_first_contact_prepares_the_target_and_says_so(plane: FakePlane) -> None:
    target = make_target()
    probe(target.pk)
    probe(target.pk)
    assert plane.prepared == {target.pk}
    assert Entry.objects.get(action="target.prepare").after == {"objects": 1}


def test_a_target_that_cannot_be_prepared_says_why(plane: FakePlane) -> None:
    target = make_target()
    plane.prepare_error = Refused("forbidden")
    probe(target.pk)
    state = TargetState.objects.get()
    assert (state.condition, state.warnings) == ("synced", ["Could not be prepared: forbidden"])


def test_what_could_not_be_prepared_is_tried_again_at_the_next_probe(plane: FakePlane) -> None:
    target = make_target()
    plane.prepare_error = Refused("forbidden")
    probe(target.pk)
    plane.prepare_error = None
    plane.prepared.clear()
    probed = probe(target.pk)
    assert probed is not None
    assert not probed.recovered
    assert plane.prepared == {target.pk}
    assert TargetState.objects.get(target=target).warnings == []
    plane.prepared.clear()
    probe(target.pk)
    assert plane.prepared == set()


def test_a_disabled_target_is_not_probed(plane: FakePlane) -> None:
    target = make_target()
    Target.objects.update(enabled=False)
    assert probe(target.pk) is None


def later(target: Target) -> None:
    """The next probe, when it is due."""
    TargetState.objects.update(checked_at=None, not_before=None)
    probe_target(target.pk)


def test_a_recovery_sets_the_drain_and_the_sweep_going(plane: FakePlane, sent: Sent) -> None:
    target = make_target()
    probe_target(target.pk)
    sent.clear()
    later(target)
    assert sent == []
    plane.down[target.pk] = unreachable()
    later(target)
    plane.down.clear()
    later(target)
    assert sent == [("drain_target", (target.pk,)), ("sweep_target", (target.pk,))]
    assert TargetState.objects.get().not_before is None


@pytest.mark.parametrize("kind", ["kubernetes", "argo", "temporal", "celery"])
@pytest.mark.parametrize("reference", ["env:SECRET_KEY", "env:OLD_NAME", "file:/etc/hostname"])
def test_a_target_of_older_days_whose_credential_may_not_be_used_says_what_to_do(
    kind: str, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "our-own")
    monkeypatch.setenv("OLD_NAME", "our-own")
    with scripted() as script:
        endpoint = script.url if kind in ("kubernetes", "argo") else script.url.partition("//")[2]
        target = Target.objects.create(
            slug="old", name="Old", kind=kind, endpoint=endpoint, credential=reference
        )
        for _ in range(2):
            probed = probe(target.pk)
        assert script.seen == []
    assert probed is not None
    state = TargetState.objects.get()
    assert (state.condition, state.failures) == ("refused", 2)
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    page = client.get("/targets/old/").content.decode()
    for text in (state.message, page):
        assert "may not be used as a credential on this server" in text
        assert "CREDENTIAL_ENV_PREFIX" in text or "CREDENTIAL_DIRS" in text
        assert "our-own" not in text
