"""The roles in deploy/rbac.yaml are enough, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.clients.contracts import ApiPermission
from console.clients.kubernetes.kinds import KINDS
from observability.engines.argo.source import WORKFLOWS
from observability.engines.kubernetes.reading import WANTS
from quotas.enforcement.adapters.argo.adapter import ArgoAdapter
from quotas.enforcement.adapters.kubernetes.adapter import KubernetesAdapter
from tenants.adapters.kubernetes import client_for
from tenants.contracts import TargetRef
from tests.kubernetes_api import APPLY, Api
from tests.servers import Cluster
from tests.waiting import until

pytestmark = pytest.mark.cluster

ROLES = Path(__file__).parents[2] / "deploy" / "rbac.yaml"
ACTIONS = (
    ApiPermission("patch", "jobs.batch"),
    ApiPermission("delete", "jobs.batch"),
    ApiPermission("patch", "workflows.argoproj.io"),
    ApiPermission("create", "workflows.argoproj.io"),
)
_COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/headroom/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


@pytest.fixture(scope="module")
def account(kube: Cluster) -> Iterator[TargetRef]:
    """The cluster as the account of deploy/rbac.yaml sees it. Another worker may apply it at the
    same time, and need it for longer: nothing of it is removed."""
    admin = Api(kube.url, kube.token, "headroom")
    manifests: list[dict[str, Any]] = list(yaml.safe_load_all(ROLES.read_text()))
    for manifest in manifests:
        path = f"{_COLLECTIONS[manifest['kind']]}/{manifest['metadata']['name']}"
        status, answer = admin.call("PATCH", f"{path}?fieldManager=test", manifest, APPLY)
        assert status in (200, 201), answer
    token_request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    status, answer = admin.call(
        "POST", f"{_COLLECTIONS['ServiceAccount']}/headroom/token", token_request
    )
    assert status == 201, answer
    options = {"insecure_skip_tls_verify": True}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEADROOM_CRED_ACCOUNT", answer["status"]["token"])
        made = TargetRef(
            1, "lab", "kubernetes", kube.url, "env:HEADROOM_CRED_ACCOUNT", options=options
        )
        # The server learns of new roles a moment after it has stored them.
        permissions = [
            ApiPermission("patch", "resourcequotas"),
            ApiPermission("list", "pods"),
            *ACTIONS,
        ]
        until(lambda: client_for(made).permissions(permissions) == [])
        yield made


def test_the_documented_roles_are_enough(account: TargetRef) -> None:
    assert KubernetesAdapter().probe(target=account).missing == ()
    assert ArgoAdapter().probe(target=account).missing == ()
    watched = [
        ApiPermission(verb, KINDS[selection.kind].resource)
        for selection in (*WANTS, WORKFLOWS)
        for verb in ("list", "watch")
    ]
    assert client_for(account).permissions([*watched, *ACTIONS]) == []


def test_they_are_no_more_than_that(account: TargetRef) -> None:
    beyond = [
        ApiPermission("list", "secrets"),
        ApiPermission("create", "pods"),
        ApiPermission("delete", "workflows.argoproj.io"),
        ApiPermission("create", "clusterrolebindings.rbac.authorization.k8s.io"),
    ]
    assert client_for(account).permissions(beyond) == beyond
