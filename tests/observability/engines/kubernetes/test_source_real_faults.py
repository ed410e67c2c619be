"""A real API server that is killed and comes back without its memory of what changed."""

from __future__ import annotations

import pytest

from console.clients import pool
from console.errors import Unreachable
from deploy.demo.parts.programs import kube_binaries
from observability.engines.contracts import Status
from observability.engines.kubernetes.source import KubernetesSource
from tests.observability.engines.clusters import Site, site_in
from tests.observability.engines.memory_reader import Reader, Store
from tests.servers import kube_control_plane

FAST = {"starts-after": "100ms", "runs-for": "300ms"}
ONCE = ("created", "started", "succeeded")


@pytest.mark.cluster
@pytest.mark.skipif(kube_binaries() is None, reason="no Kubernetes control plane")
def test_nothing_is_lost_or_doubled_over_the_death_of_an_api_server() -> None:
    with kube_control_plane() as plane:
        site = site_in(plane.kubeconfig)
        site.job("one", notes=FAST)
        read = Reader(KubernetesSource(), site.target("kubernetes"), [site.namespace])
        read.until(lambda store: store.named("one") and store.named("one")[-1].closed_at)
        site.job("two", notes=FAST)
        plane.apiserver.kill()
        with pytest.raises(Unreachable):
            read.read()
        plane.apiserver.start()
        pool.close_all()
        site.job("three", notes=FAST)
        store = read.until(
            lambda store: all(
                store.named(name) and store.named(name)[-1].closed_at for name in ("two", "three")
            )
        )
        # It knows no changes from before its start: what is there was listed again, and said so.
        assert len(store.gaps) == 1
        for name in ("one", "two", "three"):
            keys = store.keys_of(name)
            assert {kind: keys.count(kind) for kind in ONCE} == dict.fromkeys(ONCE, 1)
            assert store.named(name)[-1].status is Status.SUCCEEDED
            begun = _pods_with(store, name, "attempt_started")
            completed = _pods_with(store, name, "step_completed")
            assert sorted(completed) == sorted(_completed_pods(site, name))
            assert len(set(begun)) == len(begun)
            assert set(completed) <= set(begun)


def _completed_pods(site: Site, job: str) -> list[str]:
    """The uids of a Job's pods as the cluster has them. As a rule one; but a Job controller that
    lost the answer to its request for a pod makes another, and then both ran."""
    return [
        str(pod["metadata"]["uid"])
        for pod in site.client.list("Pod", namespace=site.namespace)
        if pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == job
        and pod["status"]["phase"] == "Succeeded"
    ]


def _pods_with(store: Store, job: str, kind: str) -> list[str]:
    return [event.step for event in store.events_of(job) if event.kind.value == kind]
