"""What every REST endpoint shares: tokens, permissions, problems, pages, preconditions, retries."""

import json
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.http import Http404
from django.test import Client
from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveUpdateDestroyAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.api import Idempotent
from console.access.models import ApiToken, IdempotencyKey, Permission, Role, User
from console.api import Preconditions
from console.audit.models import ActorKind, Entry
from console.audit.services import Actor, build, record_all
from console.errors import Conflict, DomainError, Throttled

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

CALLS: list[str] = []


class Shape(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=5)
    limits = serializers.ListField(child=serializers.IntegerField())


class Raise(APIView):
    """GET raises what the address says."""

    required_permissions: ClassVar = {"GET": Permission.VIEW, "POST": Permission.OPERATE}
    errors: ClassVar = {
        "domain": DomainError("stale_preview", "It has changed.", field="fingerprint", status=409),
        "throttled": Throttled("Temporal asks to wait.", retry_after=1.2),
        "conflict": Conflict("argocd owns limits.cpu."),
        "missing": Http404("x"),
    }

    def get(self, request: Request, name: str) -> Response:
        raise self.errors[name]

    def post(self, request: Request, name: str) -> Response:
        Shape(data=request.data).is_valid(raise_exception=True)
        return Response({})


class Row(serializers.ModelSerializer[Entry]):
    class Meta:
        model = Entry
        fields = ("id", "object_label")


class Entries(ListAPIView[Entry]):
    required_permissions: ClassVar = {"GET": Permission.VIEW}
    queryset = Entry.objects.all()
    serializer_class = Row
    filter_backends = ()
    cursor_key = ("at", "id")


class Person(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "first_name")


class People(Preconditions, RetrieveUpdateDestroyAPIView[User]):
    required_permissions: ClassVar = {
        "GET": Permission.VIEW,
        "PATCH": Permission.OPERATE,
        "DELETE": Permission.OPERATE,
    }
    queryset = User.objects.all()
    serializer_class = Person

    def etag_of(self, instance: User) -> str:
        return f"{instance.pk}-{instance.first_name}"


class Create(Idempotent, APIView):
    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    def post(self, request: Request) -> Response:
        CALLS.append(request.data["name"])
        if request.data["name"] == "bad":
            raise DomainError("bad_name", "Not bad.", field="name")
        if request.data["name"] == "away":
            raise Throttled("Later.")
        body = {"made": request.data["name"], "call": len(CALLS)}
        return Response(body, status=201, headers={"Location": "/things/1/"})


class Undeclared(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("raise/<name>/", Raise.as_view()),
    path("entries/", Entries.as_view()),
    path("people/<int:pk>/", People.as_view()),
    path("create/", Create.as_view()),
    path("undeclared/", Undeclared.as_view()),
]


@pytest.fixture
def operator() -> User:
    CALLS.clear()
    return User.objects.create_user("olga", role=Role.OPERATOR)


@pytest.fixture
def token(operator: User) -> str:
    return ApiToken.issue(user=operator, name="ci")


@pytest.fixture
def api(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def send(api: Client, name: str, key: str = "k1") -> Any:
    return api.post(
        "/create/",
        {"name": name},
        content_type="application/json",
        headers={"Idempotency-Key": key} if key else {},
    )


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"].endswith(f"#{code}")
    assert body["title"]
    assert body["request_id"] == response["X-Request-ID"]
    return body


def test_a_stranger_is_told_how_to_sign_in() -> None:
    response = Client().get("/entries/")
    assert_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("sent", ["Bearer hr_wrong", "Bearer", "Bearer a b"])
def test_a_wrong_token_is_refused(operator: User, sent: str) -> None:
    response = Client().get("/entries/", headers={"Authorization": sent})
    assert_problem(response, 401, "authentication_failed")


def test_a_revoked_or_expired_token_or_one_of_a_person_who_left_is_refused(
    api: Client, operator: User
) -> None:
    tokens = ApiToken.objects.all()
    assert api.get("/entries/").status_code == 200
    tokens.update(revoked_at=timezone.now())
    assert api.get("/entries/").status_code == 401
    tokens.update(revoked_at=None, expires_at=timezone.now() - timedelta(seconds=1))
    assert api.get("/entries/").status_code == 401
    tokens.update(expires_at=None)
    User.objects.update(is_active=False)
    assert api.get("/entries/").status_code == 401


def test_use_is_noted_at_most_once_a_minute(api: Client) -> None:
    api.get("/entries/")
    first = ApiToken.objects.get().last_used_at
    assert first
    api.get("/entries/")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    api.get("/entries/")
    assert ApiToken.objects.get().last_used_at != first - timedelta(seconds=61)


def test_what_is_not_declared_is_denied(api: Client) -> None:
    assert_problem(api.get("/undeclared/"), 403, "permission_denied")
    assert_problem(api.put("/entries/"), 403, "permission_denied")


def test_a_refused_write_is_in_the_ledger_under_the_tokens_name(
    api: Client, operator: User
) -> None:
    User.objects.update(role=Role.VIEWER)
    body = assert_problem(send(api, "a"), 403, "permission_denied")
    assert "Leases, suspend and resume" in body["detail"]
    entry = Entry.objects.get()
    assert (entry.actor, entry.actor_kind) == ("olga/ci", ActorKind.KEY)
    assert CALLS == []


def test_a_one_time_password_opens_no_endpoint(api: Client) -> None:
    User.objects.update(password_is_one_time=True)
    assert api.get("/entries/").status_code == 403


def test_a_domain_error_names_its_field(api: Client) -> None:
    body = assert_problem(api.get("/raise/domain/"), 409, "stale_preview")
    assert body["field"] == "fingerprint"
    assert body["errors"] == [
        {"field": "fingerprint", "code": "stale_preview", "detail": "It has changed."}
    ]


def test_an_outside_error_says_whether_to_retry(api: Client) -> None:
    response = api.get("/raise/throttled/")
    assert assert_problem(response, 503, "throttled")["retryable"] is True
    assert response["Retry-After"] == "2"
    assert assert_problem(api.get("/raise/conflict/"), 502, "conflict")["retryable"] is False


def test_what_is_missing_or_malformed_is_a_problem_too(api: Client) -> None:
    assert_problem(api.get("/raise/missing/"), 404, "not_found")
    malformed = api.post("/raise/x/", "{", content_type="application/json")
    assert_problem(malformed, 400, "parse_error")
    form = api.post("/raise/x/", {"name": "x"})
    assert_problem(form, 415, "unsupported_media_type")


def test_every_invalid_field_is_named_by_its_path(api: Client) -> None:
    sent = {"name": "too long", "limits": [1, "x"]}
    response = api.post("/raise/x/", sent, content_type="application/json")
    body = assert_problem(response, 400, "invalid")
    assert {(item["field"], item["code"]) for item in body["errors"]} == {
        ("name", "max_length"),
        ("limits.1", "invalid"),
    }


def write(number: int) -> None:
    at = timezone.now()
    record_all(
        [
            build(
                actor=Actor.loop("sweep"),
                action="drift.repair",
                object_type="tenant",
                object_id=index,
                object_label=f"t-{index}",
                at=at,
            )
            for index in range(number)
        ]
    )


def test_pages_give_every_row_once_although_their_times_are_equal(api: Client) -> None:
    write(25)
    seen: list[str] = []
    url = "/entries/?page_size=10"
    while url:
        body = api.get(url).json()
        seen += [row["object_label"] for row in body["results"]]
        last, url = body, body["next"]
    assert seen == [f"t-{index}" for index in range(25)]
    before = api.get(last["previous"]).json()
    assert [row["object_label"] for row in before["results"]] == seen[10:20]
    assert api.get(before["previous"]).json()["previous"] is None


def test_rows_that_arrive_meanwhile_shift_nothing(api: Client) -> None:
    write(15)
    first = api.get("/entries/?page_size=10").json()
    write(1)
    second = api.get(first["next"]).json()
    assert [row["object_label"] for row in second["results"]][:5] == [
        f"t-{index}" for index in range(10, 15)
    ]


@pytest.mark.parametrize("size", ["0", "501", "-1", "x", "²", ""])
def test_a_page_size_that_cannot_be_is_refused(api: Client, size: str) -> None:
    body = assert_problem(api.get("/entries/", {"page_size": size}), 400, "invalid_page_size")
    assert body["field"] == "page_size"


@pytest.mark.parametrize("cursor", ["x", "WzBd", "!!", "WzAsbnVsbCwxXQ"])
def test_an_invalid_cursor_is_a_problem(api: Client, cursor: str) -> None:
    assert_problem(api.get("/entries/", {"cursor": cursor}), 400, "invalid_cursor")


def test_a_write_needs_the_version_that_was_read(api: Client, operator: User) -> None:
    url = f"/people/{operator.pk}/"

    def patch(name: str, **headers: str) -> Any:
        return api.patch(
            url, {"first_name": name}, content_type="application/json", headers=headers
        )

    tag = api.get(url)["ETag"]
    assert_problem(patch("A"), 428, "precondition_required")
    assert_problem(patch("A", **{"If-Match": '"other"'}), 412, "precondition_failed")
    changed = patch("A", **{"If-Match": tag})
    assert changed.status_code == 200
    assert changed["ETag"] == f'"{operator.pk}-A"'
    assert_problem(patch("B", **{"If-Match": tag}), 412, "precondition_failed")
    assert patch("B", **{"If-Match": f'"x", {changed["ETag"]}'}).status_code == 200
    assert patch("C", **{"If-Match": "*"}).status_code == 200
    operator.refresh_from_db()
    assert operator.first_name == "C"


def test_what_has_not_changed_is_not_sent_again(api: Client, operator: User) -> None:
    url = f"/people/{operator.pk}/"
    again = api.get(url, headers={"If-None-Match": api.get(url)["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


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


def test_a_key_that_is_too_long_is_refused(api: Client) -> None:
    assert_problem(send(api, "a", key="k" * 256), 400, "invalid_idempotency_key")


def test_a_session_needs_its_csrf_token(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert_problem(send(client, "a"), 403, "permission_denied")
    assert CALLS == []
