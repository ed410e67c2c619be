"""A real API server that is killed and comes back without its memory of what changed."""

from __future__ import annotations

import pytest

from console.clients import pool
from console.errors import Unreachable
from deploy.demo.parts.programs import kube_binaries
from observability.engines.contracts import Status
from observability.engines.kubernetes.source import KubernetesSource
from tests.observability.engines.clusters import site_in
from tests.observability.engines.memory_reader import Reader
from tests.servers import kube_control_plane

FAST = {"starts-after": "100ms", "runs-for": "300ms"}
ONCE = ("created", "started", "attempt_started", "step_completed", "succeeded")


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
