"""Against a real API server and controller manager."""

from __future__ import annotations

import gc
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.clients import bridge
from console.clients.contracts import ApiPermission, AppliedObject
from console.clients.kubernetes.client import KubernetesClient
from console.errors import Conflict, NotFound, Refused, Throttled, Unreachable
from tests.servers import Cluster, KubeControlPlane, kube_control_plane
from tests.waiting import HANGS, PATIENCE, until

MANAGER = "headroom-test"
LABEL = "headroom.dev/test"


@pytest.fixture
def client(kube: Cluster) -> KubernetesClient:
    return KubernetesClient(f"kubeconfig:{kube.kubeconfig}")


@pytest.fixture
def space(client: KubernetesClient) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"clients-{uuid.uuid4().hex[:8]}"
    client.apply(namespace(name), MANAGER)
    yield name
    client.delete("Namespace", name)


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def quota(space: str, name: str = "headroom", pods: str = "5", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"namespace": space, "name": name, "labels": {LABEL: space, **labels}},
        "spec": {"hard": {"pods": pods}},
    }


def test_a_probe_says_who_we_are_and_what_is_served(client: KubernetesClient) -> None:
    probe = client.probe()
    assert probe.version.startswith("v1.")
    assert probe.version == client.version()
    assert probe.user == "admin"
    assert 0 < probe.latency_ms < 5000
    assert {"v1/Pod", "batch/v1/Job", "v1/ResourceQuota"} <= probe.kinds
    assert {"apps", "batch"} <= probe.groups
    assert probe.mutating_admission_policy is True


def test_missing_permissions_are_named_one_by_one(kube: Cluster, space: str) -> None:
    member = KubernetesClient("env:HEADROOM_CRED_MEMBER", server=kube.url, **UNVERIFIED)
    admin = KubernetesClient(f"kubeconfig:{kube.kubeconfig}")
    wanted = [
        ApiPermission("patch", "resourcequotas"),
        ApiPermission("create", "selfsubjectaccessreviews.authorization.k8s.io"),
        ApiPermission("get", "pods/log", space),
    ]
    assert admin.permissions(wanted) == []
    assert member.permissions(wanted) == [wanted[0], wanted[2]]
    assert str(wanted[0]) == "patch resourcequotas in all namespaces"
    assert str(wanted[2]) == f"get pods/log in namespace {space}"
    with pytest.raises(Refused) as caught:
        member.list("ResourceQuota")
    assert caught.value.code == "forbidden"


def test_permissions_that_were_granted_recently_are_not_asked_again_unless_somebody_wants_to_know(
    kube: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = KubernetesClient(f"kubeconfig:{kube.kubeconfig}")
    wanted = [ApiPermission("patch", "resourcequotas"), ApiPermission("get", "pods/log")]

    def requests(checks: list[ApiPermission], *, recently: bool) -> int:
        before = admin.counter.copy()
        assert admin.permissions(checks, recently=recently) == []
        sent = admin.counter.since(before)
        return sent.reads + sent.writes

    assert [requests(wanted, recently=True) for _ in range(3)] == [2, 0, 0]
    assert requests(wanted[:1], recently=True) == 1
    assert requests(wanted, recently=False) == 2
    monkeypatch.setattr("console.clients.kubernetes.client.GRANTED_SECONDS", 0.0)
    assert requests(wanted, recently=True) == 2


def test_permissions_of_which_one_is_missing_are_asked_each_time(kube: Cluster) -> None:
    member = KubernetesClient("env:HEADROOM_CRED_MEMBER", server=kube.url, **UNVERIFIED)
    wanted = [ApiPermission("patch", "resourcequotas")]
    for _ in range(2):
        assert member.permissions(wanted, recently=True) == wanted


UNVERIFIED: dict[str, Any] = {"insecure_skip_tls_verify": True}


@pytest.fixture(autouse=True)
def member_token(kube: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_CRED_MEMBER", kube.tokens["member"])


def test_an_untrusted_certificate_is_refused_and_not_repeated(kube: Cluster) -> None:
    with pytest.raises(Refused) as caught:
        KubernetesClient("env:HEADROOM_CRED_MEMBER", server=kube.url).version()
    assert caught.value.code == "tls"


def test_a_kubeconfig_in_the_environment_works_like_the_file(
    kube: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(kube.kubeconfig).read_text()
    monkeypatch.setenv("HEADROOM_CRED_KUBECONFIG", text)
    assert KubernetesClient("env:HEADROOM_CRED_KUBECONFIG").probe().user == "admin"
    context = yaml.safe_load(text)["current-context"]
    named = KubernetesClient(f"kubeconfig:{kube.kubeconfig}#{context}")
    assert named.version()
    with pytest.raises(Refused, match="credential cannot be used"):
        KubernetesClient(f"kubeconfig:{kube.kubeconfig}#nowhere").version()


def test_apply_creates_reads_back_and_deletes(client: KubernetesClient, space: str) -> None:
    stored = client.apply(quota(space), MANAGER)
    assert stored["spec"]["hard"] == {"pods": "5"}
    assert (
        client.get("ResourceQuota", "headroom", namespace=space)["metadata"]["uid"]
        == (stored["metadata"]["uid"])
    )
    assert client.delete("ResourceQuota", "headroom", namespace=space) is True
    assert client.delete("ResourceQuota", "headroom", namespace=space) is False
    with pytest.raises(NotFound, match=f"get ResourceQuota {space}/headroom"):
        client.get("ResourceQuota", "headroom", namespace=space)


def test_a_dry_run_stores_nothing(client: KubernetesClient, space: str) -> None:
    assert client.apply(quota(space), MANAGER, dry_run=True)["spec"]["hard"] == {"pods": "5"}
    assert client.list("ResourceQuota", namespace=space) == []


def test_a_field_of_another_manager_is_a_conflict_that_names_the_owner(
    client: KubernetesClient, space: str
) -> None:
    client.apply(quota(space, pods="5"), "argocd")
    with pytest.raises(Conflict) as caught:
        client.apply(quota(space, pods="9"), MANAGER)
    assert caught.value.owners == {".spec.hard.pods": "argocd"}
    assert caught.value.retryable is False
    forced = client.apply(quota(space, pods="9"), MANAGER, force=True)
    assert forced["spec"]["hard"] == {"pods": "9"}


def test_the_wrong_uid_is_a_conflict_and_deletes_nothing(
    client: KubernetesClient, space: str
) -> None:
    uid = client.apply(quota(space), MANAGER)["metadata"]["uid"]
    with pytest.raises(Conflict) as caught:
        client.delete("ResourceQuota", "headroom", namespace=space, uid=str(uuid.uuid4()))
    assert caught.value.retryable is False
    assert client.delete("ResourceQuota", "headroom", namespace=space, uid=uid) is True


def test_an_invalid_quantity_is_refused(client: KubernetesClient, space: str) -> None:
    with pytest.raises(Refused) as caught:
        client.apply(quota(space, pods="-1"), MANAGER)
    assert caught.value.code == "invalid"


def test_create_and_merge_patch(client: KubernetesClient, space: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": space, "name": "limits"},
        "data": {"a": "1", "b": "2"},
    }
    client.create(manifest)
    with pytest.raises(Conflict):
        client.create(manifest)
    patched = client.patch_merge("ConfigMap", "limits", {"data": {"a": None}}, namespace=space)
    assert patched["data"] == {"b": "2"}


def test_lists_are_read_in_pages_and_counted(client: KubernetesClient, space: str) -> None:
    client.apply_many([quota(space, f"q{number}") for number in range(7)], MANAGER)
    before = client.counter.copy()
    quotas = client.list("ResourceQuota", label_selector=f"{LABEL}={space}", page=3)
    assert sorted(item["metadata"]["name"] for item in quotas) == [f"q{n}" for n in range(7)]
    sent = client.counter.since(before)
    assert (sent.reads, sent.writes) == (3, 0)
    both = client.list_many(
        ["ResourceQuota", "LimitRange"], label_selector=f"{LABEL}={space}", page=100
    )
    assert {kind: len(items) for kind, items in both.items()} == {
        "ResourceQuota": 7,
        "LimitRange": 0,
    }


def test_many_are_applied_with_their_namespaces_first(client: KubernetesClient) -> None:
    names = [f"clients-{uuid.uuid4().hex[:8]}" for _ in range(10)]
    # The namespaces come last on purpose.
    manifests = [quota(name, f"q{number}") for name in names for number in range(3)]
    manifests += [namespace(name) for name in names]
    order: list[tuple[str, str]] = []
    threads: set[str] = set()

    def note(result: AppliedObject) -> None:
        order.append((result.kind, result.namespace or result.name))
        threads.add(threading.current_thread().name)

    results = client.apply_many(manifests, MANAGER, on_result=note)
    assert [result.error for result in results] == [None] * 40
    assert [result.name for result in results[-10:]] == names
    assert threads == {threading.current_thread().name}
    for name in names:
        assert next(kind for kind, where in order if where == name) == "Namespace"
        client.delete("Namespace", name)


def test_one_contested_object_does_not_stop_the_others(
    client: KubernetesClient, space: str
) -> None:
    client.apply(quota(space, "q1", pods="1"), "argocd")
    results = client.apply_many(
        [quota(space, f"q{number}", pods="2") for number in range(3)], MANAGER
    )
    assert [type(result.error) for result in results] == [type(None), Conflict, type(None)]
    error = results[1].error
    assert isinstance(error, Conflict)
    assert error.owners == {".spec.hard.pods": "argocd"}


def test_the_events_of_a_namespace_show_a_denied_job(client: KubernetesClient, space: str) -> None:
    client.apply(quota(space, pods="0"), MANAGER)
    until(
        lambda: (
            client.get("ResourceQuota", "headroom", namespace=space).get("status", {}).get("hard")
        ),
        "the quota controller did not fill in status.hard",
    )
    pod = {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}
    client.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"namespace": space, "name": "held"},
            "spec": {"template": {"spec": pod}},
        }
    )
    events = until(lambda: client.events(space, field_selector="reason=FailedCreate"))
    assert "exceeded quota: headroom" in events[0]["message"]


@pytest.fixture(scope="module")
def plane() -> Iterator[KubeControlPlane]:
    """A control plane that these tests may stop and freeze."""
    with kube_control_plane() as own:
        yield own


def test_a_frozen_server_is_unreachable_in_time_and_heals(plane: KubeControlPlane) -> None:
    client = KubernetesClient(f"kubeconfig:{plane.kubeconfig}", timeout=1.0)  # clock: frozen
    heal(client)
    plane.apiserver.pause()
    try:
        # "no time left" where this machine was too busy to send it within that second.
        with pytest.raises(Unreachable, match=r"no (answer in time|answer within|time left)"):
            client.version()
        results = client.apply_many([namespace("frozen")] * 3, MANAGER, timeout=1.0)  # clock: so
        assert all(isinstance(result.error, Unreachable) for result in results)
        assert plane.apiserver.paused  # until here it has not answered anybody
    finally:
        plane.apiserver.resume()
    heal(client)


def heal(client: KubernetesClient) -> None:
    """Wait until it is answered again; until then it may be told to come again later."""

    def answered() -> str:
        with suppress(Unreachable, Throttled):
            return client.version()
        return ""

    assert until(answered)


def test_a_client_that_is_dropped_leaves_no_connection_behind(kube: Cluster) -> None:
    client = KubernetesClient(f"kubeconfig:{kube.kubeconfig}")
    client.version()
    (live,) = client._session._live.values()
    assert not live.http.closed
    del client
    gc.collect()
    assert until(lambda: live.http.closed and live.streams.closed)


def test_what_a_newer_credential_replaced_is_closed_before_the_loop_stops(
    kube: Cluster, tmp_path: Path
) -> None:
    own = tmp_path / "kubeconfig"
    own.write_bytes(kube.kubeconfig.read_bytes())
    client = KubernetesClient(f"kubeconfig:{own}")
    client.version()
    (replaced,) = client._session._live.values()
    own.write_bytes(kube.kubeconfig.read_bytes() + b"# rotated\n")
    replaced.stamped_at = float("-inf")  # the file is looked at again with the next request
    client.version()
    (live,) = client._session._live.values()
    assert live is not replaced
    sessions = (replaced.http, replaced.streams, live.http, live.streams)
    assert not any(session.closed for session in sessions)  # what is under way there may finish
    bridge.shut_down()
    assert all(session.closed for session in sessions)
    assert client.version()  # on a new loop


def test_a_killed_server_is_unreachable_and_the_same_client_heals(
    plane: KubeControlPlane,
) -> None:
    client = KubernetesClient(f"kubeconfig:{plane.kubeconfig}", timeout=HANGS)
    assert client.version()
    plane.apiserver.kill()
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        client.version()
    assert time.monotonic() - begun < PATIENCE  # refused at once: it does not wait for its timeout
    plane.apiserver.start()
    assert client.version()
    assert client.apply(namespace("after-restart"), MANAGER)["metadata"]["name"] == "after-restart"
