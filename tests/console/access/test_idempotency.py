"""POSTs that are safe to repeat."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import ApiToken, IdempotencyKey, Role, TokenScope, User
from tests.console.endpoints import CALLS, api, assert_problem, operator, send, token

__all__ = ["api", "operator", "token"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.console.endpoints")]


def test_the_same_key_and_body_give_the_first_answer_again(api: Client) -> None:
    first, second = send(api, "a"), send(api, "a")
    assert CALLS == ["a"]
    assert (second.status_code, second.content) == (201, first.content)
    assert second["Location"] == "/things/1/"
    assert second["Idempotent-Replayed"] == "true"
    assert send(api, "a", key="k2").json()["call"] == 2
    assert send(api, "a", key="").json()["call"] == 3


def test_the_same_key_with_another_body_is_refused(api: Client) -> None:
    send(api, "a")
    assert_problem(send(api, "b"), 422, "idempotency_key_reused")
    assert CALLS == ["a"]


def test_a_refusal_is_given_again_too(api: Client) -> None:
    first, second = send(api, "bad"), send(api, "bad")
    assert_problem(first, 422, "bad_name")
    assert second.content == first.content
    assert second["Content-Type"] == "application/problem+json"
    assert CALLS == ["bad"]


def test_an_outside_failure_may_be_tried_again_with_the_same_key(api: Client) -> None:
    assert send(api, "away").status_code == 503
    assert send(api, "away").status_code == 503
    assert CALLS == ["away", "away"]


def test_a_duplicate_in_flight_is_told_to_wait(api: Client) -> None:
    send(api, "a")
    IdempotencyKey.objects.update(status=None)
    assert_problem(send(api, "a"), 409, "request_in_flight")


def test_one_that_never_answered_is_said_to_be_lost_and_not_done_again(api: Client) -> None:
    send(api, "a")
    long_ago = timezone.now() - timedelta(minutes=16)
    IdempotencyKey.objects.update(status=None, created_at=long_ago)
    problem = assert_problem(send(api, "a"), 409, "request_lost")
    assert "new key" in problem["detail"]
    assert CALLS == ["a"]
    assert_problem(send(api, "b"), 422, "idempotency_key_reused")
    assert send(api, "a", key="k2").json()["call"] == 2


def test_an_answer_that_comes_late_counts_all_the_same(api: Client) -> None:
    first = send(api, "a")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    assert send(api, "a").content == first.content
    assert CALLS == ["a"]


def test_a_key_is_forgotten_after_a_day(api: Client) -> None:
    send(api, "a")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert send(api, "b").status_code == 201
    assert CALLS == ["a", "b"]


def test_keys_of_two_people_do_not_meet(api: Client) -> None:
    send(api, "a")
    other = User.objects.create_user("otto", role=Role.OPERATOR)
    plain = ApiToken.issue(user=other, name="ci")
    assert send(Client(headers={"Authorization": f"Bearer {plain}"}), "b").status_code == 201


def test_an_answer_is_not_given_again_to_a_token_of_another_scope(
    api: Client, operator: User
) -> None:
    """It might not have been allowed to ask for it."""
    send(api, "a")
    narrow = ApiToken.issue(user=operator, name="cron", scope=TokenScope.OPERATE)
    other = Client(headers={"Authorization": f"Bearer {narrow}"})
    assert_problem(send(other, "a"), 422, "idempotency_key_reused")
    assert CALLS == ["a"]


def test_what_was_refused_for_want_of_a_right_may_be_asked_for_again_with_it(
    api: Client, operator: User
) -> None:
    assert send(api, "for admins").status_code == 403
    User.objects.filter(pk=operator.pk).update(role=Role.ADMIN)
    assert send(api, "for admins").status_code == 201


def test_a_key_that_is_too_long_is_refused(api: Client) -> None:
    assert_problem(send(api, "a", key="k" * 256), 400, "invalid_idempotency_key")
