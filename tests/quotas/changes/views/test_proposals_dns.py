"""A preview says where a closed network lets pods ask for names: on the page, in its objects, in
its YAML and over REST. After nmstate#1570: on OpenShift they listen in openshift-dns on 5353."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from quotas.enforcement.adapters import registry
from quotas.enforcement.adapters.kubernetes.adapter import KubernetesAdapter
from quotas.enforcement.models import TargetState
from quotas.enforcement.ports import Observation, Observed
from tenants.contracts import PlacementRef, TargetRef
from tenants.models import Target
from tests.quotas.changes.page_client import browser, said
from tests.rest import Rest

OPENSHIFT = {"distribution": "OpenShift"}
PLAIN = {"distribution": ""}
OWN = {"dns": {"namespaces": ["resolvers"], "networks": [], "ports": [53]}}
CASES = pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        (OPENSHIFT, {}, "egress: DNS at namespace openshift-dns on 5353"),
        (PLAIN, {}, "egress: DNS at namespace kube-system, 169.254.20.10/32 on 53"),
        (OPENSHIFT, OWN, "egress: DNS at namespace resolvers on 53"),
    ],
)


class EmptyCluster(KubernetesAdapter):
    """Kubernetes, with nothing there yet."""

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        return Observation({placement.id: Observed() for placement in placements}, reads=1)


@pytest.fixture
def cluster(served: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The one target on which anybody is placed."""
    adapter = EmptyCluster()
    monkeypatch.setattr(registry, "adapter_for", lambda _kind: adapter)
    lab = served.targets["lab"]
    assert isinstance(lab, Target)
    return lab


def set_up(cluster: Target, features: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """What the last probe found, and what an admin has set."""
    Target.objects.filter(pk=cluster.pk).update(options=dict(options))
    TargetState.objects.update_or_create(target=cluster, defaults={"features": dict(features)})


def previewed(admin: Client) -> str:
    """The address of the preview of a new place, from its form."""
    form = reverse("changes:place", args=["globex"])
    proposed = admin.post(form, {"target": "lab", "location": "globex-2", "sharing": "dedicated"})
    assert proposed.status_code == 302, said(proposed)
    return str(proposed["Location"])


@CASES
def test_the_preview_page_says_where_names_are_asked_for(
    cluster: Target, features: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    set_up(cluster, features, options)
    admin = browser()
    page = previewed(admin)
    for address in (page, f"{page}objects/"):
        text = said(admin.get(address))
        assert "NetworkPolicy globex-2/" in text
        assert words in text


@CASES
def test_the_preview_over_rest_says_the_same(
    cluster: Target, admin: Rest, features: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    set_up(cluster, features, options)
    payload = {"tenant": "globex", "target": "lab", "location": "globex-2"}
    answer = admin.post("proposals/", {"kind": "Place", "payload": payload})
    assert answer.status_code == 201, answer.content
    shown = [
        field["after"]
        for item in answer.json()["preview"]["objects"]
        for field in item["fields"]
        if item["kind"] == "NetworkPolicy" and field["path"] == "spec"
    ]
    assert shown == [f"ingress: none | {words}"]


def test_the_yaml_of_a_preview_has_the_port_on_which_the_pods_listen(cluster: Target) -> None:
    set_up(cluster, OPENSHIFT, {})
    admin = browser()
    text = admin.get(f"{previewed(admin)}yaml/").content.decode()
    assert "openshift-dns" in text
    assert "5353" in text
    assert "kube-system" not in text
