"""Sessions that ended, answers that nobody asks for again, and tokens long since dead go."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from console.access import retention
from console.access.models import ApiToken, IdempotencyKey, Role, User

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def days(number: float) -> timedelta:
    """So many."""
    return timedelta(days=number)


@pytest.fixture
def ann() -> User:
    """A person."""
    return User.objects.create_user("ann", role=Role.VIEWER)


def test_sessions_that_ended_go_and_those_that_go_on_stay(ann: User) -> None:
    client = Client()
    for _ in range(2):
        Client().force_login(ann)
    client.force_login(ann)
    kept = client.session.session_key
    now = timezone.now()
    Session.objects.exclude(pk=kept).update(expire_date=now - days(1))
    assert retention.prune_sessions(now, math.inf) == 2
    assert client.get("/").status_code == 200


def test_answers_go_after_a_day_though_nobody_uses_another_key(ann: User) -> None:
    for number, age in enumerate((0.5, 1.1, 30)):
        IdempotencyKey.objects.create(
            user=ann, key=str(number), digest="x", created_at=NOW - days(age)
        )
    assert retention.prune_idempotency_keys(NOW, math.inf) == 2
    assert IdempotencyKey.objects.get().key == "0"


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ({}, False),
        ({"expires_at": NOW + days(1)}, False),
        ({"expires_at": NOW - days(89)}, False),
        ({"expires_at": NOW - days(91)}, True),
        ({"revoked_at": NOW - days(91)}, True),
        ({"revoked_at": NOW - days(1), "expires_at": NOW + days(9)}, False),
    ],
)
def test_tokens_go_long_after_they_could_last_be_used(
    ann: User, settings: Settings, fields: dict[str, object], gone: bool
) -> None:
    assert settings.TOKEN_RETENTION_DAYS == 90
    ApiToken.issue(user=ann, name="ci")
    ApiToken.objects.update(**fields)
    assert retention.prune_tokens(NOW, math.inf) == int(gone)
