"""Argo Workflows: one placement is one namespace, with a label, a ConfigMap, a quota."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from console.clients.contracts import ApiPermission
from console.clients.kubernetes.client import KubernetesClient
from console.errors import ExternalError, Refused
from console.unstructured import mapping, mappings
from quotas.enforcement.adapters.argo import apply, observe
from quotas.enforcement.adapters.argo.compile import compiled
from quotas.enforcement.adapters.kubernetes.adapter import namespace_problems
from quotas.enforcement.adapters.kubernetes.items import metadata_of, plain, spec_of
from quotas.enforcement.ports import ApplyResult, Compiled, Health, Observation, PlacementChanges
from quotas.plans.contracts import EffectiveLimits
from tenants.adapters.argo import controller_namespace, options_error, server_for
from tenants.adapters.kubernetes import client_for
from tenants.contracts import PlacementRef, TargetRef

_SERVED: Final = "argoproj.io/v1alpha1/Workflow"
_CONTROLLER: Final = "workflow-controller"
_DEFINITION: Final = "workflows.argoproj.io"
_VERSION_ANNOTATION: Final = "app.kubernetes.io/version"
_NEEDED: Final = (
    *(ApiPermission(verb, "namespaces") for verb in ("get", "list", "create", "patch")),
    *(
        ApiPermission(verb, kind)
        for kind in ("configmaps", "resourcequotas")
        for verb in ("get", "list", "create", "patch", "delete")
    ),
    *(ApiPermission(verb, "workflows.argoproj.io") for verb in ("get", "list", "watch")),
)


class ArgoAdapter:
    """Meets quotas.enforcement.ports.Adapter."""

    kind = "argo"
    label = "Argo Workflows"
    location_label = "Namespace"
    batch = 200
    options_error = staticmethod(options_error)

    def compile(
        self, *, limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
    ) -> Compiled:
        """The label, the ConfigMap of semaphores, the quota for none; see `compile.py`."""
        return compiled(limits, placement, target)

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """Reads only. Holders of locks are counted when placements are looked at one by one."""
        client = client_for(target)
        if everything:
            return observe.everything(client, placements)
        return observe.each(client, placements, target.concurrency)

    def apply(
        self,
        *,
        target: TargetRef,
        work: Sequence[PlacementChanges],
        on_result: Callable[[ApplyResult], None],
    ) -> None:
        """Server-side apply as `headroom-argo`; what is held is not taken away. See `apply.py`."""
        apply.run(client_for(target), work, concurrency=target.concurrency, on_result=on_result)

    def probe(self, *, target: TargetRef, regular: bool = False) -> Health:
        """The controller's version (empty when nothing tells it) and our permissions. Features:
        `user`, `workflows_served`, and `controller`: by what its version is known."""
        client = client_for(target)
        cluster = client.probe()
        served = _SERVED in cluster.kinds
        version, known_by = _version(client, target)
        features: dict[str, Any] = {
            "user": cluster.user,
            "workflows_served": served,
            "controller": known_by,
        }
        warnings = []
        if not served:
            warnings.append("This cluster has no Workflows: install Argo's CRDs.")
        if not version:
            warnings.append(
                "The version of the workflow controller is unknown: neither an Argo server nor the"
                f" Deployment {_CONTROLLER} in {controller_namespace(target)} tells."
            )
        missing = client.permissions(_NEEDED, recently=regular)
        return Health(
            latency_ms=cluster.latency_ms,
            version=version or "unknown",
            features=features,
            missing=tuple(map(str, missing)),
            warnings=tuple(warnings),
        )

    def cost(self, *, target: TargetRef, work: Sequence[PlacementChanges]) -> int:
        """One call per object, more for what is taken away."""
        del target
        return apply.cost(work)

    def seconds(self, *, calls: int, latency_ms: float, concurrency: int) -> float:
        """Calls side by side, each as long as the last probe took."""
        return calls * latency_ms / 1000 / max(1, concurrency)

    def prepare(self, *, target: TargetRef) -> int:
        """Nothing: Argo's own objects are not ours to install."""
        del target
        return 0

    def validate(
        self, *, location: str, sharing: str, fairness_key: str, target: TargetRef
    ) -> Mapping[str, str]:
        """A namespace of the tenant's own, outside the system's and the controller's."""
        problems = namespace_problems(location, sharing, fairness_key)
        if location == controller_namespace(target):
            problems["location"] = f"Namespace {location} is the controller's; choose another."
        return problems


def _version(client: KubernetesClient, target: TargetRef) -> tuple[str, str]:
    """The controller's version and how it is known; both empty when it is not."""
    server = server_for(target)
    if server is not None:
        try:
            version = server.version()
        except ExternalError:
            version = ""
        if version:
            return version, "Argo server"
    if tag := _image_version(client, controller_namespace(target)):
        return tag, "image"
    annotated = _annotated_version(client)
    return annotated, "definition" if annotated else ""


def _image_version(client: KubernetesClient, namespace: str) -> str:
    """The version by the controller's image; empty when the Deployment cannot be read or says
    none."""
    try:
        deployment = client.get("Deployment", _CONTROLLER, namespace=namespace)
    except Refused:
        return ""
    pod = mapping(mapping(spec_of(deployment).get("template")).get("spec"))
    for container in mappings(pod.get("containers")):
        image, _, tag = plain(container.get("image")).split("@")[0].rpartition(":")
        if image and "/" not in tag and "workflow" in image:
            return tag
    return ""


def _annotated_version(client: KubernetesClient) -> str:
    """The version by an annotation of the definition of Workflows; empty when it has none."""
    try:
        definition = client.get("CustomResourceDefinition", _DEFINITION)
    except ExternalError:
        return ""
    return plain(mapping(metadata_of(definition).get("annotations")).get(_VERSION_ANNOTATION))
