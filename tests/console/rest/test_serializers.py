"""Bodies of writes: every field takes its own JSON type, and whatever is wrong is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from console.errors import DomainError
from console.rest.fields import Choice, Flag, Id, JSONObject, ListOf, Number, Reason, Text
from console.rest.problems import InvalidBody, problem_json
from console.rest.serializers import Body, Nothing


class Place(Body):
    target = Text()
    keep = Flag(default=False)


class Order(Body):
    name = Text()
    color = Choice(["red", "blue"], default="red")
    count = Number(required=False, max_value=9)
    ids = ListOf(child=Id(), required=False)
    labels = JSONObject(child=Text(), required=False)
    places = Place(many=True, required=False)
    reason = Reason()


RIGHT = {"name": " a ", "reason": " because it is "}


def read(body: Any, kind: type[Body] = Order) -> dict[str, Any]:
    sent = json.dumps(body)
    request = APIRequestFactory().post("/", sent, content_type="application/json")
    return kind.read(Request(request, parsers=[JSONParser()]))


def problem(body: Any, kind: type[Body] = Order) -> dict[str, Any]:
    with pytest.raises(InvalidBody) as raised:
        read(body, kind)
    response = problem_json(raised.value, {})
    assert response is not None
    assert response.status_code == 422
    return dict(response.data)


def test_what_is_left_out_has_its_default_or_is_left_out() -> None:
    assert read(RIGHT) == {"name": " a ", "color": "red", "reason": "because it is"}


def test_a_whole_body_is_read() -> None:
    body = {
        "name": "", "color": "blue", "count": 9, "ids": [1, 2**40], "labels": {"a": "b"},
        "places": [{"target": "x"}, {"target": "y", "keep": True}], "reason": "because",
    }  # fmt: skip
    places = [{"target": "x", "keep": False}, {"target": "y", "keep": True}]
    assert read(body) == {**body, "places": places}


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("name", 5, "use a text"),
        ("name", True, "use a text"),
        ("name", None, "use a text"),
        ("name", ["a"], "use a text"),
        ("color", "green", "use red, blue"),
        ("color", 1, "use red, blue"),
        ("count", "5", "use a whole number from 0 to 9"),
        ("count", True, "use a whole number from 0 to 9"),
        ("count", 1.0, "use a whole number from 0 to 9"),
        ("count", -1, "use a whole number from 0 to 9"),
        ("count", 10, "use a whole number from 0 to 9"),
        ("ids", "1", "use a list, each an id"),
        ("ids", {"0": 1}, "use a list, each an id"),
        ("labels", [], "use an object"),
    ],
)
def test_only_the_fields_own_type_is_taken(field: str, value: Any, right: str) -> None:
    body = problem({**RIGHT, field: value})
    assert (body["code"], body["field"]) == ("invalid", field)
    assert body["detail"].startswith(f"{field}: ")
    assert right in body["detail"]


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"ids": [1, "2"]}, "ids.1", "invalid"),
        ({"ids": [0]}, "ids.0", "invalid"),
        ({"labels": {"a": 1}}, "labels.a", "invalid"),
        ({"places": [{"target": "x"}, {"target": 1}]}, "places.1.target", "invalid"),
        ({"places": [{}]}, "places.0.target", "required"),
        ({"places": [{"target": "x", "where": 1}]}, "places.0.where", "unknown_field"),
        ({"places": ["x"]}, "places.0", "invalid"),
    ],
)
def test_what_is_inside_is_named_by_its_path(body: Any, path: str, code: str) -> None:
    refused = problem({**RIGHT, **body})
    assert [(item["field"], item["code"]) for item in refused["errors"]] == [(path, code)]


def test_everything_that_is_wrong_is_named_at_once() -> None:
    refused = problem({"color": "green", "colour": "red"})
    assert [item["field"] for item in refused["errors"]] == ["name", "color", "reason", "colour"]
    assert refused["code"] == "invalid"
    assert "name: It is missing; send a text." in refused["detail"]


def test_an_unknown_field_is_refused_with_those_that_are_known() -> None:
    refused = problem({**RIGHT, "colour": "red"})
    assert (refused["code"], refused["field"]) == ("unknown_field", "colour")
    assert "'colour' is not a field here; use name, color, count" in refused["detail"]
    assert "send an empty object" in problem({"x": 1}, Nothing)["detail"]


@pytest.mark.parametrize("reason", [None, "", "  ", "x"])
def test_a_reason_is_needed(reason: str | None) -> None:
    sent = {"name": "a"} if reason is None else {"name": "a", "reason": reason}
    refused = problem(sent)
    assert (refused["code"], refused["field"]) == ("reason_required", "reason")


@pytest.mark.parametrize("body", [[], "x", [{"name": "a"}], 5])
def test_a_body_that_is_no_object_is_malformed(body: Any) -> None:
    with pytest.raises(DomainError, match="send a JSON object") as raised:
        read(body)
    assert raised.value.status == 400


@pytest.mark.parametrize("labels", [{"a": "\0"}, {"\0": "a"}, {"a": "\ud800"}])
def test_what_no_text_can_hold_is_malformed(labels: Any) -> None:
    with pytest.raises(DomainError, match="what no text can") as raised:
        read({**RIGHT, "labels": labels})
    assert raised.value.status == 400
