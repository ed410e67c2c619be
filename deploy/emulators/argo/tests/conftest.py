"""The emulated controller runs in a cluster, emulated and real, each in turn."""

from pathlib import Path

import pytest

from deploy.emulators.kubernetes.server import Emulator
from tests.cluster_admin import Administrator
from tests.servers import Cluster


@pytest.fixture(
    scope="module", params=["emulator", pytest.param("real", marks=pytest.mark.cluster)]
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Administrator:
    """The administrator of each cluster in turn."""
    if request.param == "real":
        cluster: Cluster = request.getfixturevalue("kube")
        return Administrator(cluster.kubeconfig, "headroom-local")
    running: Emulator = request.getfixturevalue("emulator")
    path: Path = tmp_path_factory.mktemp("emulator") / "kubeconfig"
    return Administrator(running.kubeconfig(path), "kubectl")
