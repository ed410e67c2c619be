"""The suites run over the emulator and a real control plane, each in turn."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from deploy.emulators.kubernetes.server import Emulator
from tests.kubernetes_api import Api
from tests.servers import Cluster
from tests.shared_cluster import USERS


@pytest.fixture(
    scope="session", params=["emulator", pytest.param("real", marks=pytest.mark.cluster)]
)
def server(request: pytest.FixtureRequest) -> tuple[str, str, dict[str, str]]:
    """(URL, the administrator's token, other users' tokens) of each server in turn."""
    if request.param == "real":
        cluster: Cluster = request.getfixturevalue("kube")
        return cluster.url, cluster.token, dict(cluster.tokens)
    running: Emulator = request.getfixturevalue("emulator")
    return running.url, running.token(), {name: running.token(name) for name in USERS}


@pytest.fixture
def api(server: tuple[str, str, dict[str, str]]) -> Iterator[Api]:
    """The administrator in a new namespace."""
    url, token, _ = server
    administrator = Api(url, token, f"t-{uuid4().hex[:10]}")
    status, answer = administrator.call(
        "POST", "/api/v1/namespaces", {"metadata": {"name": administrator.namespace}}
    )
    assert status == 201, answer
    yield administrator
    administrator.call("DELETE", f"/api/v1/namespaces/{administrator.namespace}")
