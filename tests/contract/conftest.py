"""The clusters that the suites of the adapters run over, each in turn."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from deploy.emulators.argo.definition import definition
from deploy.emulators.kubernetes.server import Emulator
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.clusters import Site, numbers
from tests.servers import Cluster
from tests.waiting import until


@pytest.fixture(
    scope="module", params=["emulator", pytest.param("real", marks=pytest.mark.cluster)]
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Each cluster in turn, probed and prepared."""
    if request.param == "real":
        cluster: Cluster = request.getfixturevalue("kube")
        path, context = cluster.kubeconfig, "headroom-local"
    else:
        running: Emulator = request.getfixturevalue("emulator")
        path = running.kubeconfig(tmp_path_factory.mktemp("emulator") / "kubeconfig")
        context = "kubectl"
    target = TargetRef(1, "lab", "kubernetes", "", f"kubeconfig:{path}")
    plane = Site(target, path, context)
    health = plane.adapter.probe(target=target)
    plane.adapter.prepare(target=target)
    return replace(plane, target=replace(target, features=health.features))


@pytest.fixture
def poor(site: Site, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TargetRef:
    """The same cluster as a user with no rights at all."""
    if site.context == "kubectl":
        running: Emulator = request.getfixturevalue("emulator")
        url, token = running.url, running.token("member")
    else:
        cluster: Cluster = request.getfixturevalue("kube")
        url, token = cluster.url, cluster.tokens["member"]
    monkeypatch.setenv("HEADROOM_CRED_POOR", token)
    return replace(
        site.target,
        endpoint=url,
        credential="env:HEADROOM_CRED_POOR",
        options={"insecure_skip_tls_verify": True},
    )


@pytest.fixture
def placement(site: Site) -> Iterator[PlacementRef]:
    """A namespace that nobody has made yet; it is gone afterwards."""
    number = next(numbers)
    name = f"acme-{uuid4().hex[:8]}"
    yield PlacementRef(number, "acme", "lab", "kubernetes", name, group="team-acme")
    site.client.delete("Namespace", name)


@pytest.fixture(scope="module")
def argo(site: Site) -> Site:
    """The cluster as an Argo target, with the kind served and probed."""
    site.client.apply(definition(), "test", force=True)

    def served() -> bool:
        return "argoproj.io/v1alpha1/Workflow" in site.client.probe().kinds

    until(served)
    target = replace(site.target, kind="argo", slug="argo", features={})
    plane = replace(site, target=target)
    health = plane.adapter.probe(target=target)
    return replace(plane, target=replace(target, features=health.features))


@pytest.fixture
def flow_place(argo: Site) -> Iterator[PlacementRef]:
    """A namespace that nobody has made yet; it is gone afterwards."""
    name = f"flow-{uuid4().hex[:8]}"
    yield PlacementRef(next(numbers), "acme", "argo", "argo", name)
    argo.client.delete("Namespace", name)
