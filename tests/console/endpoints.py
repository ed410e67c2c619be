"""Endpoints that show what every REST endpoint shares, and the fixtures to call them."""

import json
from typing import Any, ClassVar

import pytest
from django.http import Http404
from django.test import Client
from django.urls import path
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveUpdateDestroyAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.models import ApiToken, Role, User
from console.access.rights import require
from console.audit.models import Entry
from console.errors import Conflict, DomainError, Throttled
from console.rest.preconditions import Preconditions

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
        if request.data["name"] == "for admins":
            require(request, Permission.ADMINISTER)
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
def operator(db: None) -> User:
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
    assert body["type"] == f"urn:headroom:problem:{code}"
    assert body["title"]
    assert body["request_id"] == response["X-Request-ID"]
    return body
