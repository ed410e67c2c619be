"""The OpenAPI schema: complete, without a warning, and what the endpoints really answer."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from console.access.models import ApiToken
from console.audit.services import Actor
from console.wsgi import application
from observability.actions.models import Action
from observability.engines.contracts import Status
from observability.jobs.models import JobRun
from observability.replays.models import Replay
from quotas.enforcement.models import Drift, PlacementState, TargetState, TenantState
from quotas.enforcement.services.rollouts import create_rollout
from quotas.plans.models import Lease, Override
from tenants.models import Membership, Placement, Target
from tests.observability.jobs.factories import make_run
from tests.observability.run_with_everything import one_of_each
from tests.rest import Rest


@pytest.fixture
def schema(viewer: Rest) -> dict[str, Any]:
    """The schema as it is served."""
    document: dict[str, Any] = viewer.client.get("/api/v1/schema/?format=json").json()
    return document


def test_the_schema_is_valid_and_raises_no_warning(tmp_path: Any) -> None:
    path = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    assert "/api/v1/tenants/{slug}/limits/" in path.read_text()


def test_every_operation_is_described_and_says_how_it_refuses(schema: dict[str, Any]) -> None:
    operations = [
        (path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) > 50
    tags = {tag["name"]: tag["description"] for tag in schema["tags"]}
    assert {tag for _, _, operation in operations for tag in operation["tags"]} == tags.keys()
    assert "example" in str(schema["paths"]["/api/v1/leases/"]["post"]["requestBody"])
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)
    for path, method, operation in operations:
        where = (method, path)
        assert operation.get("description"), where
        assert operation["tags"], where
        assert {"401", "403"} <= operation["responses"].keys(), where
        headers = {
            item["name"] for item in operation.get("parameters", ()) if item["in"] == "header"
        }
        if method == "post":
            assert "Idempotency-Key" in headers, where
        if method in ("patch", "delete"):
            assert "If-Match" in headers, where
            assert {"412", "428"} <= operation["responses"].keys(), where


def test_the_schema_can_be_browsed_by_whoever_has_signed_in(viewer: Rest) -> None:
    client = Client()
    assert client.get("/api/docs/").status_code == 302
    client.force_login(viewer.user)
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert b"swagger-ui" in page.content
    assert b"https://" not in page.content.replace(b"https://json-schema.org", b"")


@pytest.fixture
def filled(served: SimpleNamespace, alice: Actor) -> SimpleNamespace:
    """The cast, with one of everything that can be read."""
    now = timezone.now()
    placement = served.placements["acme"]
    fields = {"tenant": served.acme, "key": "pods", "reason": "r", "author": "ann"}
    Lease.objects.create(value=None, starts_at=now, ends_at=now, **fields)
    Override.objects.create(value=0, starts_at=now, **fields)
    assert alice.user
    Membership.objects.create(tenant=served.acme, user=alice.user)
    create_rollout(
        kind="change", title="t", reason="r", actor=alice, at=now,
        placements=Placement.objects.all(),
    )  # fmt: skip
    TenantState.objects.filter(tenant=served.acme).update(fullness=0.5, observed_at=now)
    PlacementState.objects.filter(placement=placement).update(
        limits={"pods": {"enforced": None, "used": 3}}, observed_at=now, foreign=["a quota"]
    )
    TargetState.objects.create(target=Target.objects.get(slug="lab"), latency_ms=1.5)
    Drift.objects.create(
        placement=placement, tenant=served.acme, target=placement.target, found_at=now
    )
    run = make_run(tenant=served.acme, status=Status.RUNNING)
    one_of_each(run, "asked in a test")
    Rest("admin").post("proposals/", {"kind": "Suspend", "payload": {"tenants": ["acme"]}})
    return served


@pytest.fixture
def kept_connection(filled: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """A request over WSGI gives its connection back when it is old; here it holds the test's data,
    in a transaction. Django's own test client does this for each of its requests, and undoes it
    afterwards: so this comes after the last of them."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield filled
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("kept_connection")
def test_what_is_read_is_what_the_schema_says(viewer: Rest) -> None:
    """Schemathesis reads every GET with made-up and with real parameters, good and bad ones."""
    token = ApiToken.issue(user=viewer.user, name="schemathesis")
    headers = {"Authorization": f"Bearer {token}"}
    loaded = schemathesis.openapi.from_wsgi(
        "/api/v1/schema/?format=json", application, headers=headers
    )
    tried = 0
    for result in loaded.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.method.lower() != "get" or operation.path.endswith("/schema/"):
            continue
        for real in (None, _real(operation.path)):
            tried += _try(operation, real, headers)
    assert tried > 80


def _real(path: str) -> dict[str, Any]:
    """Path parameters that lead to something."""
    group = path.removeprefix("/api/v1/").split("/")[0]
    models: dict[str, Any] = {
        "placements": Placement,
        "leases": Lease,
        "overrides": Override,
        "jobs": JobRun,
        "actions": Action,
        "replays": Replay,
    }
    first = models[group].objects.values_list("pk", flat=True)[0] if group in models else None
    if path.endswith("/members/{id}/"):
        first = Membership.objects.values_list("pk", flat=True)[0]
    slug = {"tenants": "acme", "targets": "lab", "plans": "standard"}.get(group, "")
    values = {"slug": slug, "id": first or 1, "number": 1}
    return {name: value for name, value in values.items() if f"{{{name}}}" in path}


def _try(operation: Any, path_parameters: dict[str, Any] | None, headers: dict[str, str]) -> int:
    tried = 0
    fixed = {"path_parameters": path_parameters} if path_parameters else {}
    if path_parameters == {}:
        return 0

    @settings(
        max_examples=3,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE, **fixed))
    def attempt(case: Any) -> None:
        nonlocal tried
        tried += 1
        case.call_and_validate(
            headers=headers,
            excluded_checks=[
                # A made-up label or cursor is refused with reason; the schema calls it a text.
                schemathesis.checks.positive_data_acceptance,
                schemathesis.checks.unsupported_method,
                schemathesis.checks.ignored_auth,  # test_api_permissions does, for every endpoint
            ],
        )

    attempt()
    return tried
