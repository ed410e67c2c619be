"""The sample workloads keep to the namespaces that Headroom made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client as kube

from deploy.demo.sample import SampleTenant
from deploy.demo.seed.__main__ import steady_job
from deploy.demo.workloads import argo_workflows, celery_labels
from deploy.demo.workloads.namespaces import LABEL, create_job, is_ours
from deploy.emulators.kubernetes.server import Emulator
from observability.engines.contracts import (
    PARENT_HEADER,
    REQUEST_HEADER,
    TENANT_HEADER,
    TRACE_HEADER,
)

JOB = steady_job(SampleTenant(slug="acme", name="Acme", plan="standard", steady=(1, "1", "1Gi")))


@pytest.fixture
def api() -> Iterator[Any]:
    """The official client of an emulator."""
    with Emulator() as running:
        settings: Any = kube.Configuration(host=running.url)
        settings.api_key = {"authorization": f"Bearer {running.token()}"}
        with kube.ApiClient(settings) as client:
            yield client


def make_namespace(api: Any, name: str, tenant: str = "") -> None:
    core: Any = kube.CoreV1Api(api)
    labels = {LABEL: tenant} if tenant else {}
    core.create_namespace({"metadata": {"name": name, "labels": labels}})


def jobs(api: Any, namespace: str) -> list[str]:
    batch: Any = kube.BatchV1Api(api)
    return [item.metadata.name for item in batch.list_namespaced_job(namespace).items]


def test_the_file_that_celery_apps_copy_names_the_headers_that_are_read() -> None:
    headers = (TENANT_HEADER, PARENT_HEADER, REQUEST_HEADER, TRACE_HEADER)
    assert set(celery_labels.LABELS) == set(headers)


def test_a_namespace_of_somebody_else_gets_no_sample_job(api: Any) -> None:
    make_namespace(api, "acme")
    assert not is_ours(api, "acme")
    assert create_job(api, "acme", JOB) is False
    assert jobs(api, "acme") == []


def test_a_namespace_of_another_tenant_of_headroom_gets_none_either(api: Any) -> None:
    make_namespace(api, "acme", tenant="globex")
    assert create_job(api, "acme", JOB) is False


def test_a_tenants_own_namespace_gets_its_job_once(api: Any) -> None:
    make_namespace(api, "acme", tenant="acme")
    assert create_job(api, "acme", JOB) is True
    assert create_job(api, "acme", JOB) is False
    assert jobs(api, "acme") == ["serve"]


def test_a_namespace_that_is_not_there_gets_none(api: Any) -> None:
    assert create_job(api, "acme", JOB) is False


def test_a_suspended_tenants_namespace_gets_none_and_its_starter_goes_on_at_its_pace(
    api: Any,
) -> None:
    make_namespace(api, "acme", tenant="acme")
    none = {"count/jobs.batch": "0", "count/workflows.argoproj.io": "0"}
    core: Any = kube.CoreV1Api(api)
    core.create_namespaced_resource_quota(
        "acme", {"metadata": {"name": "headroom"}, "spec": {"hard": none}}
    )
    assert create_job(api, "acme", JOB) is False
    assert argo_workflows.create(api, "acme", "etl") is False
    assert jobs(api, "acme") == []
