"""Limits of one tenant as a label of its namespace and a ConfigMap in it. Pure.

Argo has no way to say "none": a parallelism of 0 means unlimited, a semaphore of 0 fails the
workflows that name it. Such a limit is refused, and meanwhile the nearest number that Argo can say
is set, because taking the limit away would let everything in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.kubernetes.names import MANAGED_BY, OURS, TENANT
from quotas.enforcement.ports import Compiled, DesiredObject, ObjectRef, Refusal, Scalar
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef

ELSEWHERE: Final = (
    "the limit count/workflows.argoproj.io 0 (or pods 0) of a Kubernetes placement of this"
    " namespace lets none in"
)
SUSPENDED: Final = (
    "Argo cannot hold a tenant at none: what stops new work of a suspended tenant is the Kubernetes"
    " placement of this namespace, whose quota then says pods 0. Without one, workflows still start"
    " here, within the parallelism."
)


def compiled(
    limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
) -> Compiled:
    """The namespace with its label, and the ConfigMap where there are semaphores."""
    if limits is None or placement.leaving:
        return Compiled(warnings=_leaving(placement))
    refusals: list[Refusal] = []
    labels = {MANAGED_BY: OURS, TENANT: limits.tenant}
    namespace = _namespace(limits, placement, labels, refusals)
    locks = _config_map(limits, placement, labels, refusals)
    warnings = [SUSPENDED] if limits.suspended else []
    if target.features.get("workflows_served") is False:
        warnings.append("This cluster has no Workflows (argoproj.io): the limits bind nothing yet.")
    objects = (namespace,) if locks is None else (namespace, locks)
    return Compiled(objects, tuple(refusals), tuple(warnings))


def _leaving(placement: PlacementRef) -> tuple[str, ...]:
    if not placement.stopped:
        return ()
    return (
        f"Without our label the controller's own default holds in {placement.location}; only a"
        " Kubernetes placement's quota keeps stopping new work there.",
    )


def _label_fields(labels: Mapping[str, str]) -> dict[str, Scalar]:
    return {f"metadata.labels[{name}]": value for name, value in labels.items()}


def shown_limit(value: int) -> str:
    """The label's number as people read it."""
    return "unlimited" if value == names.UNLIMITED else str(value)


def _namespace(
    limits: EffectiveLimits,
    placement: PlacementRef,
    labels: Mapping[str, str],
    refusals: list[Refusal],
) -> DesiredObject:
    fields, written, paths, shown = _label_fields(labels), dict(labels), {}, {}
    value = _parallelism(limits, refusals)
    if value is not None:
        fields[names.LIMIT_PATH] = value
        written[names.LIMIT_LABEL] = str(value)
        shown[names.LIMIT_PATH] = shown_limit(value)
        paths[names.PARALLELISM] = names.LIMIT_PATH
    metadata = {"name": placement.location, "labels": written}
    return DesiredObject(
        ref=ObjectRef("Namespace", "", placement.location),
        fields=fields,
        manifest={"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        shown=shown,
        limits=paths,
    )


def _parallelism(limits: EffectiveLimits, refusals: list[Refusal]) -> int | None:
    """The label's number; None where nothing is said, and the controller's default holds."""
    limit = limits.limits.get(names.PARALLELISM)
    if limit is None:
        return None
    if limit.value is None:
        return names.UNLIMITED
    if limit.value == 0:
        message = (
            "Argo cannot say 0: a parallelism of 0 means unlimited there. Its least, 1, is set;"
            f" {ELSEWHERE}."
        )
        refusals.append(Refusal(names.PARALLELISM, "not_expressible", message))
        return names.LEAST
    return limit.value


def _config_map(
    limits: EffectiveLimits,
    placement: PlacementRef,
    labels: Mapping[str, str],
    refusals: list[Refusal],
) -> DesiredObject | None:
    values = {
        key.removeprefix(names.SEMAPHORE): _holders(key, limit.value, refusals)
        for key, limit in sorted(limits.limits.items())
        if key.startswith(names.SEMAPHORE)
    }
    if not values:
        return None
    return DesiredObject(
        ref=ObjectRef("ConfigMap", placement.location, names.CONFIG_MAP),
        fields=_label_fields(labels) | {names.data_path(key): n for key, n in values.items()},
        manifest=manifest(placement.location, labels, values),
        limits={f"{names.SEMAPHORE}{key}": names.data_path(key) for key in values},
        stage=1,
    )


def manifest(
    namespace: str, labels: Mapping[str, str], values: Mapping[str, int]
) -> dict[str, Any]:
    """The ConfigMap of a namespace; it says which of its keys are ours."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.CONFIG_MAP,
            "namespace": namespace,
            "labels": dict(labels),
            "annotations": {names.KEYS: ",".join(sorted(values))},
        },
        "data": {key: str(number) for key, number in values.items()},
    }


def _holders(key: str, value: int | None, refusals: list[Refusal]) -> int:
    if value is None:
        message = (
            f"{key}: a semaphore always has a number, and without one the workflows that name it"
            f" fail. The largest, {names.MOST}, is set; take the lock out of the workflows to be"
            " rid of it."
        )
        refusals.append(Refusal(key, "not_expressible", message))
        return names.MOST
    if value == 0:
        message = (
            f"{key}: Argo cannot say 0, the workflows that name the semaphore would fail instead of"
            f" waiting. Its least, 1, is set; {ELSEWHERE}."
        )
        refusals.append(Refusal(key, "not_expressible", message))
        return names.LEAST
    return value
