"""The Kubernetes kinds we talk to. A new kind is one line in KINDS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from console.errors import Refused


@dataclass(frozen=True, slots=True)
class Kind:
    """Where objects of one kind live in the API."""

    name: str
    api_version: str
    plural: str
    namespaced: bool = True

    @property
    def resource(self) -> str:
        """`quotas` or `jobs.batch`: how permissions and quota keys name it."""
        group, slash, _ = self.api_version.partition("/")
        return f"{self.plural}.{group}" if slash else self.plural

    def path(self, namespace: str | None = None, name: str = "") -> str:
        """The URL path of the collection, or of one object. Without a namespace: of all of them."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        end = f"/{quote(name, safe='')}" if name else ""
        return f"{root}{self.api_version}{inside}/{self.plural}{end}"


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Namespace", "v1", "namespaces", namespaced=False),
        Kind("Node", "v1", "nodes", namespaced=False),
        Kind("ResourceQuota", "v1", "resourcequotas"),
        Kind("LimitRange", "v1", "limitranges"),
        Kind("ConfigMap", "v1", "configmaps"),
        Kind("Pod", "v1", "pods"),
        Kind("Event", "v1", "events"),
        Kind("Job", "batch/v1", "jobs"),
        Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
        Kind("Role", "rbac.authorization.k8s.io/v1", "roles"),
        Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
        Kind("ClusterRole", "rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False),
        Kind("PriorityClass", "scheduling.k8s.io/v1", "priorityclasses", namespaced=False),
        Kind(
            "MutatingAdmissionPolicy",
            "admissionregistration.k8s.io/v1",
            "mutatingadmissionpolicies",
            namespaced=False,
        ),
        Kind(
            "MutatingAdmissionPolicyBinding",
            "admissionregistration.k8s.io/v1",
            "mutatingadmissionpolicybindings",
            namespaced=False,
        ),
        Kind(
            "MutatingWebhookConfiguration",
            "admissionregistration.k8s.io/v1",
            "mutatingwebhookconfigurations",
            namespaced=False,
        ),
        Kind("Deployment", "apps/v1", "deployments"),
        Kind("Lease", "coordination.k8s.io/v1", "leases"),
        Kind("Workflow", "argoproj.io/v1alpha1", "workflows"),
        Kind("WorkflowTemplate", "argoproj.io/v1alpha1", "workflowtemplates"),
        Kind("CronWorkflow", "argoproj.io/v1alpha1", "cronworkflows"),
        Kind(
            "CustomResourceDefinition",
            "apiextensions.k8s.io/v1",
            "customresourcedefinitions",
            namespaced=False,
        ),
    )
}


def kind_of(name: str) -> Kind:
    """The Kind called `name`. Refused (code `unknown_kind`) when it is not in the table."""
    try:
        return KINDS[name]
    except KeyError:
        raise Refused(f"Kubernetes kind {name} is not known here", code="unknown_kind") from None


@dataclass(frozen=True, slots=True)
class Selection:
    """What to read: a kind (of kinds.KINDS), in one namespace or (None) in all, by selectors."""

    kind: str
    namespace: str | None = None
    labels: str = ""
    fields: str = ""

    def path(self) -> str:
        """The URL path of the collection."""
        return kind_of(self.kind).path(self.namespace)

    def query(self, **further: str) -> str:
        """Selectors and `further` parameters as a query string."""
        selectors = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return urlencode({key: value for key, value in (selectors | further).items() if value})

    def __str__(self) -> str:
        return kind_of(self.kind).plural


@dataclass(frozen=True, slots=True)
class ResourceName:
    """Kind, namespace and name of one object."""

    kind: Kind
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """The URL path of the object."""
        return self.kind.path(self.namespace, self.name)

    def __str__(self) -> str:
        inside = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.name} {inside}{self.name}"


def resource_name_of(manifest: Mapping[str, Any]) -> ResourceName:
    """Where a manifest belongs. Refused (code `invalid`) when it does not say so fully."""
    kind = kind_of(str(manifest.get("kind", "")))
    metadata = manifest.get("metadata") or {}
    namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
    if not name or (kind.namespaced and not namespace):
        raise Refused(f"{kind.name} manifest without name or namespace", code="invalid")
    if manifest.get("apiVersion") != kind.api_version:
        raise Refused(
            f"{kind.name} {name}: apiVersion {manifest.get('apiVersion')}, "
            f"expected {kind.api_version}",
            code="invalid",
        )
    return ResourceName(kind, namespace if kind.namespaced else "", name)
