"""The plain values of this app that adapters and pure code see instead of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TargetRef:
    """A target as adapters see it. `credential` is a reference, never a secret.

    `options` are the kind's own settings (for temporal: namespace, address and shared queues), and
    `features` what the last probe found the server able to do.
    """

    id: int
    slug: str
    kind: str
    endpoint: str
    credential: str
    options: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 16
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class PlacementRef:
    """One tenant on one target.

    `location` is the Kubernetes namespace or the Temporal task queue. `sharing` is "dedicated" or
    "shared"; on a shared queue `fairness_key` tells tenants apart. `leaving` placements are being
    removed: their desired state is "nothing of ours". `stopped` says that the tenant may start
    nothing (suspended, off-boarding or gone): what is removed must not set free what it held.
    `drift_policy` is the one in force: the placement's own, else its target's.
    """

    id: int
    tenant: str
    target: str
    kind: str
    location: str
    sharing: str = "dedicated"
    fairness_key: str = ""
    generation: int = 1
    leaving: bool = False
    group: str = ""
    stopped: bool = False
    tenant_id: int = 0
    drift_policy: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something on a target that could not be read, or of which a value could not.

    `kind` names what it is (Workflow, ResourceQuota, task event), `location` where it is (as in
    PlacementRef), `name` the thing itself, empty where it does not say. `problem` is for people and
    does not repeat these. `tenant` is a slug where it names its tenant itself.
    """

    kind: str
    location: str
    name: str
    problem: str
    tenant: str = ""
