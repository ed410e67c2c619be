"""The kinds that the emulator serves, and how their URLs, names and tables look."""

from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One served resource: `plural` in URLs, `name` in manifests."""

    group: str
    plural: str
    name: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    status: bool = False
    """Whether the `status` subresource is served; without it a status in a write is kept."""
    generation: bool = False
    """Whether `metadata.generation` counts changes of the spec."""
    dns_label: bool = False
    """Names of this kind must be without dots."""
    free_name: bool = False
    """Names of this kind may hold capitals and colons (RBAC)."""
    returns_deleted: bool = False
    """DELETE answers with the object; the other kinds answer with a Status."""
    version: str = "v1"
    custom: bool = False
    """Defined by a CustomResourceDefinition: its objects say their kind in lists too."""

    @property
    def api_version(self) -> str:
        """`v1` for the core group, `GROUP/VERSION` otherwise."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`jobs.batch`, or `pods` in the core group: how messages and quotas name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """What kubectl accepts for one of them."""
        return self.name.lower()


RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"

NAMESPACE = Kind(
    "",
    "namespaces",
    "Namespace",
    namespaced=False,
    short_names=("ns",),
    status=True,
    dns_label=True,
    returns_deleted=True,
)
RESOURCE_QUOTA = Kind(
    "", "resourcequotas", "ResourceQuota", short_names=("quota",), status=True, returns_deleted=True
)
LIMIT_RANGE = Kind("", "limitranges", "LimitRange", short_names=("limits",))
CONFIG_MAP = Kind("", "configmaps", "ConfigMap", short_names=("cm",))
SECRET = Kind("", "secrets", "Secret")
POD = Kind(
    "", "pods", "Pod", short_names=("po",), status=True, generation=True, returns_deleted=True
)
EVENT = Kind("", "events", "Event", short_names=("ev",))
NODE = Kind("", "nodes", "Node", namespaced=False, short_names=("no",), status=True)
SERVICE = Kind(
    "",
    "services",
    "Service",
    short_names=("svc",),
    status=True,
    dns_label=True,
    returns_deleted=True,
)
SERVICE_ACCOUNT = Kind(
    "", "serviceaccounts", "ServiceAccount", short_names=("sa",), returns_deleted=True
)
PERSISTENT_VOLUME_CLAIM = Kind(
    "",
    "persistentvolumeclaims",
    "PersistentVolumeClaim",
    short_names=("pvc",),
    status=True,
    returns_deleted=True,
)
JOB = Kind("batch", "jobs", "Job", status=True, generation=True)
NETWORK_POLICY = Kind(
    "networking.k8s.io",
    "networkpolicies",
    "NetworkPolicy",
    short_names=("netpol",),
    generation=True,
)
ROLE = Kind(RBAC, "roles", "Role", free_name=True)
ROLE_BINDING = Kind(RBAC, "rolebindings", "RoleBinding", free_name=True)
CLUSTER_ROLE = Kind(RBAC, "clusterroles", "ClusterRole", namespaced=False, free_name=True)
CLUSTER_ROLE_BINDING = Kind(
    RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False, free_name=True
)
PRIORITY_CLASS = Kind(
    "scheduling.k8s.io",
    "priorityclasses",
    "PriorityClass",
    namespaced=False,
    short_names=("pc",),
    generation=True,
)
MUTATING_POLICY = Kind(
    ADMISSION,
    "mutatingadmissionpolicies",
    "MutatingAdmissionPolicy",
    namespaced=False,
    generation=True,
)
MUTATING_POLICY_BINDING = Kind(
    ADMISSION,
    "mutatingadmissionpolicybindings",
    "MutatingAdmissionPolicyBinding",
    namespaced=False,
    generation=True,
)
DEPLOYMENT = Kind("apps", "deployments", "Deployment", short_names=("deploy",), status=True)
LEASE = Kind("coordination.k8s.io", "leases", "Lease")
DEFINITION = Kind(
    "apiextensions.k8s.io",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
    short_names=("crd",),
    status=True,
)
# Served whether its definition was created or not; like the real one it has no status subresource.
WORKFLOW = Kind(
    "argoproj.io", "workflows", "Workflow", short_names=("wf",), version="v1alpha1", custom=True
)

KINDS: tuple[Kind, ...] = (
    CONFIG_MAP,
    EVENT,
    LIMIT_RANGE,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE,
    JOB,
    NETWORK_POLICY,
    CLUSTER_ROLE_BINDING,
    CLUSTER_ROLE,
    ROLE_BINDING,
    ROLE,
    PRIORITY_CLASS,
    MUTATING_POLICY,
    MUTATING_POLICY_BINDING,
    DEPLOYMENT,
    LEASE,
    DEFINITION,
    WORKFLOW,
)
BY_URL: dict[tuple[str, str], Kind] = {(kind.group, kind.plural): kind for kind in KINDS}
VERSIONS: dict[str, str] = {kind.group: kind.version for kind in KINDS}
"""The version of each group; each has one."""
GROUPS: tuple[str, ...] = tuple(group for group in VERSIONS if group)
