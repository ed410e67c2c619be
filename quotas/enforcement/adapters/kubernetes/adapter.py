"""Kubernetes: one placement is one namespace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from console.clients.contracts import ApiPermission
from console.clients.kubernetes.client import KubernetesClient
from console.errors import NotFound, Refused
from quotas.enforcement.adapters.kubernetes import (
    admission_policy,
    apply,
    names,
    observe,
    unchanged,
)
from quotas.enforcement.adapters.kubernetes.compile import compiled
from quotas.enforcement.ports import (
    ApplyResult,
    Comparison,
    Compiled,
    Health,
    Observation,
    PlacementChanges,
)
from quotas.plans.contracts import EffectiveLimits
from tenants.adapters.cluster_dns import distribution_of
from tenants.adapters.kubernetes import client_for, options_error
from tenants.contracts import PlacementRef, TargetRef

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_RESERVED: Final = frozenset({"default", "system"})
_VERBS: Final = ("get", "list", "create", "patch", "delete")
_RESOURCES: Final = (
    "namespaces",
    "resourcequotas",
    "limitranges",
    "networkpolicies.networking.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
)
_READ: Final = (
    ApiPermission("get", "jobs.batch"),
    *(
        ApiPermission(verb, resource)
        for resource in ("jobs.batch", "pods", "events")
        for verb in ("list", "watch")
    ),
)
"""For use, and for the job audit trail."""
_POLICIES: Final = (
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
)


class KubernetesAdapter:
    """Meets quotas.enforcement.ports.Adapter."""

    kind = "kubernetes"
    label = "Kubernetes"
    location_label = "Namespace"
    batch = 200
    options_error = staticmethod(options_error)

    def __init__(self) -> None:
        self._installed: set[str] = set()
        """Credentials of clusters that this process knows to have the execution policy."""

    def compile(
        self, *, limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
    ) -> Compiled:
        """Namespace, quotas, defaults, network policy, role binding; see `compile.py`."""
        return compiled(limits, placement, target)

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """Reads only. Use is counted again only when placements are looked at one by one."""
        client = client_for(target)
        if everything:
            return observe.everything(client, placements)
        return observe.each(client, placements, target.concurrency)

    def compared(self, *, target: TargetRef, locations: Sequence[str], since: Any) -> Comparison:
        """By the versions of what is observed, and watches from there on; see `unchanged.py`."""
        del locations  # all kinds are read whole
        return unchanged.compared(client_for(target), since, timeout=target.timeout)

    def apply(
        self,
        *,
        target: TargetRef,
        work: Sequence[PlacementChanges],
        on_result: Callable[[ApplyResult], None],
    ) -> None:
        """Server-side apply as `headroom-kubernetes`; deletions by uid. See `apply.py`.

        Before the first annotation of the execution policy, the policy itself is made sure of.
        """
        if target.credential not in self._installed and any(map(_has_execution, work)):
            with suppress(Refused):  # the probe names the permission that is missing
                self.prepare(target=target)
        apply.run(
            client_for(target),
            work,
            concurrency=target.concurrency,
            timeout=target.timeout,
            on_result=on_result,
        )

    def probe(self, *, target: TargetRef, regular: bool = False) -> Health:
        """Version and permissions. Features: `user`, `distribution`, `execution_policy` and, where
        that is false, `execution_policy_why`."""
        client = client_for(target)
        cluster = client.probe()
        served = cluster.mutating_admission_policy
        missing = client.permissions(_needed(policies=served), recently=regular)
        features: dict[str, object] = {
            "user": cluster.user,
            "execution_policy": True,
            "distribution": distribution_of(cluster.version, cluster.kinds),
        }
        why = ""
        if not served:
            why = "MutatingAdmissionPolicy v1 (Kubernetes 1.36 and later) is not served"
        elif any(permission.resource in _POLICIES for permission in missing) and not _is_installed(
            client
        ):
            why = "the execution policy is not installed and we may not install it"
        if why:
            features |= {"execution_policy": False, "execution_policy_why": why}
        warnings = (
            (f"Limits on Jobs and priority classes cannot be enforced: {why}.",) if why else ()
        )
        return Health(
            latency_ms=cluster.latency_ms,
            version=cluster.version,
            features=features,
            missing=tuple(map(str, missing)),
            warnings=warnings,
        )

    def cost(self, *, target: TargetRef, work: Sequence[PlacementChanges]) -> int:
        """One call per object, more for take-overs and adopted namespaces."""
        del target
        return apply.cost(work)

    def seconds(self, *, calls: int, latency_ms: float, concurrency: int) -> float:
        """Calls side by side, each as long as the last probe took."""
        return calls * latency_ms / 1000 / max(1, concurrency)

    def prepare(self, *, target: TargetRef) -> int:
        """Installs the execution policy where the cluster can run it."""
        client = client_for(target)
        if not client.probe().mutating_admission_policy:
            return 0
        missing = _uninstalled(client)
        for manifest in missing:
            client.apply(manifest, names.FIELD_MANAGER)
        self._installed.add(target.credential)
        return len(missing)

    def validate(
        self, *, location: str, sharing: str, fairness_key: str, target: TargetRef
    ) -> Mapping[str, str]:
        """A namespace of the tenant's own, outside the system's."""
        del target
        return namespace_problems(location, sharing, fairness_key)


def namespace_problems(location: str, sharing: str, fairness_key: str) -> dict[str, str]:
    """What is wrong with a placement that is a namespace: field name to message; pure."""
    problems = {}
    if not _LABEL.fullmatch(location):
        problems["location"] = (
            "A namespace is 1 to 63 lower-case letters, digits and hyphens, with a letter or"
            " digit at both ends."
        )
    elif location.startswith("kube-") or location in _RESERVED:
        problems["location"] = f"Namespace {location} belongs to the system; choose another."
    if sharing != "dedicated":
        problems["sharing"] = "A namespace belongs to one tenant: use dedicated."
    if fairness_key:
        problems["fairness_key"] = "Only a shared Temporal task queue has fairness keys."
    return problems


def _needed(*, policies: bool) -> list[ApiPermission]:
    needed = [ApiPermission(verb, resource) for resource in _RESOURCES for verb in _VERBS]
    needed += _READ
    # Binding a role that we do not have ourselves needs this.
    needed.append(ApiPermission("bind", "clusterroles.rbac.authorization.k8s.io"))
    if policies:
        needed += [ApiPermission(verb, resource) for resource in _POLICIES
                   for verb in ("get", "create", "patch")]  # fmt: skip
    return needed


def _has_execution(work: PlacementChanges) -> bool:
    return any(
        names.ANNOTATIONS & change.desired.manifest["metadata"].get("annotations", {}).keys()
        for change in work.changes
        if change.desired is not None and change.ref.kind == "Namespace"
    )


def _uninstalled(client: KubernetesClient) -> list[dict[str, Any]]:
    """The parts of the execution policy that are absent or say something else."""
    return [
        manifest
        for manifest in admission_policy.manifests()
        if not _says(_stored(client, manifest), manifest)
    ]


def _stored(client: KubernetesClient, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return client.get(manifest["kind"], manifest["metadata"]["name"])
    except NotFound:
        return {}


def _is_installed(client: KubernetesClient) -> bool:
    try:
        return not _uninstalled(client)
    except Refused:
        return False  # we may not even look


def _says(there: object, wanted: object) -> bool:
    """Whether `there` has everything that `wanted` says; the server may have added more."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            key in there and _says(there[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(there, list) and len(there) == len(wanted) and all(map(_says, there, wanted))
        )
    return there == wanted
