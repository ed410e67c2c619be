"""A number of 5,000 digits, of which int() makes an error: in place of every id of an address,
every parameter and every field. It is refused by its name, and nothing fails over it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from console.rest.schema_view import document
from tests.access.test_matrix import built
from tests.access.test_odd_requests import (
    Trial,
    operations,
    pages,
    parameters_of_pages,
    trial,
)
from tests.access.world import World

__all__ = ["built", "trial"]  # fixtures

pytestmark = [pytest.mark.fuzz, pytest.mark.django_db]
LONG = "9" * 5_000
CURSOR = base64.urlsafe_b64encode(f"[0,{LONG}]".encode()).decode().rstrip("=")


def with_long_ids(built: World, paths: list[str]) -> Iterator[str]:
    """Each path with the number in place of each of its ids."""
    for path in paths:
        for part in re.finditer(r"(?<=/)\d+(?=/)", path):
            yield f"{path[: part.start()]}{LONG}{path[part.end() :]}"


def test_no_address_has_such_an_id(trial: Trial, built: World) -> None:
    paths = [*pages(built), *(path for _, path, _ in operations(built))]
    wrong = sorted(set(with_long_ids(built, paths)))
    assert len(wrong) > 40
    for path in wrong:
        for method in ("GET", "POST", "PATCH", "DELETE"):
            answer = trial.send(method, path, b"{}", "application/json", {"If-Match": "*"})
            assert answer.status_code in {404, 405}, (method, path.replace(LONG, "LONG"))
    assert trial.wrong == []


def test_a_parameter_that_is_a_number_is_refused_by_its_name(trial: Trial, built: World) -> None:
    numbers = 0
    listed = {
        re.sub(r"{[^}]+}", "_", path): methods for path, methods in document()["paths"].items()
    }
    for method, path, _ in operations(built):
        operation = listed.get(re.sub(r"(?<=/)(\d+|acme|globex|lab|standard)(?=/)", "_", path), {})
        for parameter in operation.get(method.lower(), {}).get("parameters", ()):
            if method != "GET" or parameter["in"] != "query":
                continue
            name, kind = parameter["name"], parameter["schema"].get("type")
            value = CURSOR if name == "cursor" else LONG
            answer = trial.send("GET", f"{path}?{name}={value}")
            if kind in {"integer", "number"} or name == "cursor":
                numbers += 1
                assert answer.status_code in {400, 422}, (path, name, answer.status_code)
                assert name in answer.json()["detail"], (path, name, answer.json()["detail"])
    assert trial.wrong == []
    assert numbers > 20


def test_no_parameter_of_a_page_fails_over_it(trial: Trial, built: World) -> None:
    known = parameters_of_pages(trial, pages(built))
    for path, names in known.items():
        for name in names:
            trial.send("GET", f"{path}?{name}={CURSOR if name == 'cursor' else LONG}")
    assert trial.wrong == []


def places(schema: Any, parts: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a body may have a number, as names; a list's first item stands for all."""
    if "$ref" in schema:
        schema = parts[schema["$ref"].rpartition("/")[2]]
    if len(path) > 4:
        return
    for several in ("oneOf", "anyOf", "allOf"):
        for one in schema.get(several, ()):
            yield from places(one, parts, path)
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name)
        yield from places(inner, parts, (*path, name))
    if schema.get("type") == "array":
        yield from places(schema.get("items", {}), parts, (*path, "0"))


def body_of(path: tuple[str, ...], value: str) -> str:
    """JSON with a value in one place."""
    if not path:
        return value
    inner = body_of(path[1:], value)
    return f"[{inner}]" if path[0] == "0" else f"{{{json.dumps(path[0])}: {inner}}}"


def test_a_number_in_a_body_is_refused_by_its_place(trial: Trial, built: World) -> None:
    parts, tried = document()["components"]["schemas"], 0
    shapes = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            shapes[f"{method.upper()}:{re.sub(r'{[^}]+}', '_', path)}"] = schema
    for method, path, _ in operations(built):
        name = re.sub(r"(?<=/)(\d+|acme|globex|lab|standard)(?=/)", "_", path)
        for place in sorted(set(places(shapes.get(f"{method}:{name}", {}), parts))):
            tried += 1
            raw = body_of(place, LONG).encode()
            answer = trial.send(method, path, raw, "application/json", {"If-Match": "*"})
            if answer.status_code not in {404, 405, 409, 412, 428}:
                problem = answer.json()
                assert answer.status_code == 400, (method, path, place, problem)
                assert problem["field"] == ".".join(place), (method, path, place, problem)
            # As a text it may be a good reason, but is no fault of ours.
            quoted = body_of(place, f'"{LONG}"').encode()
            trial.send(method, path, quoted, "application/json", {"If-Match": "*"})
    assert trial.wrong == []
    assert tried > 100


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"limits": {"pods": LONG}}, "limits.pods"),
        ({"limits": {"requests.memory": f"{LONG}Gi"}}, "limits.requests.memory"),
        ({"limits": {"job.deadline": f"{LONG}h"}}, "limits.job.deadline"),
        ({"limits": {}, "policy": {"network_exceptions": [
            {"name": "a", "direction": "egress", "everything": True, "ports": [["TCP", LONG]]}
        ]}}, "policy.network_exceptions[0].ports"),
    ],
    ids=lambda value: value if len(str(value)) < 100 else "",
)  # fmt: skip
def test_an_amount_or_a_port_as_a_text_is_refused_by_its_field(
    trial: Trial, payload: dict[str, Any], field: str
) -> None:
    whole = {"plan": "standard", "base_version": 1, **payload}
    raw = json.dumps({"kind": "PublishPlan", "payload": whole}).encode()
    answer = trial.send("POST", "/api/v1/proposals/", raw, "application/json")
    assert answer.status_code == 422
    assert field in str(answer.json()["errors"]), answer.json()
    assert len(answer.json()["detail"]) < 600


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("kubernetes", f"https://10.0.0.1:{LONG}"),
        ("argo", f"https://10.0.0.1:{LONG}"),
        ("temporal", f"temporal.example:{LONG}"),
        ("celery", f"redis://10.0.0.1:{LONG}/0"),
        ("celery", f"amqp://10.0.0.1:{LONG}//"),
        ("celery", f"redis://10.0.0.1:6379/{LONG}"),
        ("celery", f"amqp://10.0.0.1:5672//?heartbeat={LONG}"),
    ],
    ids=lambda value: value[:30],
)
def test_a_port_in_the_address_of_a_target_is_refused_by_its_field(
    trial: Trial, kind: str, endpoint: str
) -> None:
    body = {"slug": "odd", "name": "odd", "kind": kind, "endpoint": endpoint, "reason": "because"}
    raw = json.dumps(body).encode()
    answer = trial.send("POST", "/api/v1/targets/", raw, "application/json")
    assert answer.status_code == 422
    assert answer.json()["field"] == "endpoint", answer.json()
