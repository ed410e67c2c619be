"""Limits of one tenant as a label of its namespace, a ConfigMap and a quota in it. Pure.

Argo has no way to say "none": a parallelism of 0 means unlimited, a semaphore of 0 fails the
workflows that name it. Where none may start, a ResourceQuota of our own lets no new Workflow be
created; the label is then only a brake on what was created before. A semaphore that Argo cannot say
is refused, and nothing is written for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.kubernetes.names import MANAGED_BY, OURS, TENANT
from quotas.enforcement.ports import Compiled, DesiredObject, ObjectRef, Refusal, Scalar
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef

CLOSED: Final = (
    f"No new workflow can be created here: ResourceQuota {names.QUOTA} says"
    f" {names.COUNTED} 0. Argo itself cannot say none, so the parallelism label is at its least,"
    f" {names.LEAST}, as a brake only: workflows that were queued before still start, one after the"
    " other, and those that run go on. Suspend or stop them to hold them."
)


def compiled(
    limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
) -> Compiled:
    """The namespace with its label, the ConfigMap where there are semaphores, and the quota where
    none may start."""
    if limits is None or placement.leaving:
        return Compiled(warnings=_leaving(placement))
    refusals: list[Refusal] = []
    labels = {MANAGED_BY: OURS, TENANT: limits.tenant}
    objects = [_namespace(limits, placement, labels)]
    locks = _config_map(limits, placement, labels, refusals)
    if locks is not None:
        objects.append(locks)
    warnings = []
    if _is_closed(limits):
        objects.append(_quota(limits, placement, labels))
        warnings.append(CLOSED)
    if target.features.get("workflows_served") is False:
        warnings.append("This cluster has no Workflows (argoproj.io): the limits bind nothing yet.")
    return Compiled(tuple(objects), tuple(refusals), tuple(warnings))


def _is_closed(limits: EffectiveLimits) -> bool:
    """Whether no new workflow may start."""
    limit = limits.limits.get(names.PARALLELISM)
    return limits.suspended or (limit is not None and limit.value == 0)


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
) -> DesiredObject:
    fields, written, paths, shown = _label_fields(labels), dict(labels), {}, {}
    value = _parallelism(limits)
    if value is not None:
        fields[names.LIMIT_PATH] = value
        written[names.LIMIT_LABEL] = str(value)
        shown[names.LIMIT_PATH] = shown_limit(value)
        if not _is_closed(limits):
            paths[names.PARALLELISM] = names.LIMIT_PATH
    metadata = {"name": placement.location, "labels": written}
    return DesiredObject(
        ref=ObjectRef("Namespace", "", placement.location),
        fields=fields,
        manifest={"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        shown=shown,
        limits=paths,
    )


def _parallelism(limits: EffectiveLimits) -> int | None:
    """The label's number; None where nothing is said, and the controller's default holds."""
    if _is_closed(limits):
        return names.LEAST
    limit = limits.limits.get(names.PARALLELISM)
    if limit is None:
        return None
    return names.UNLIMITED if limit.value is None else limit.value


def _quota(
    limits: EffectiveLimits, placement: PlacementRef, labels: Mapping[str, str]
) -> DesiredObject:
    """It counts Workflows that exist, so that at 0 none can be added to those there are."""
    parallelism = limits.limits.get(names.PARALLELISM)
    return DesiredObject(
        ref=ObjectRef("ResourceQuota", placement.location, names.QUOTA),
        fields=_label_fields(labels) | {names.CLOSED_PATH: 0},
        manifest={
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {
                "name": names.QUOTA,
                "namespace": placement.location,
                "labels": dict(labels),
            },
            "spec": {"hard": {names.COUNTED: "0"}},
        },
        limits={} if parallelism is None else {names.PARALLELISM: names.CLOSED_PATH},
        stage=1,
    )


def _config_map(
    limits: EffectiveLimits,
    placement: PlacementRef,
    labels: Mapping[str, str],
    refusals: list[Refusal],
) -> DesiredObject | None:
    values = {}
    for key, limit in sorted(limits.limits.items()):
        if not key.startswith(names.SEMAPHORE):
            continue
        if limit.value:
            values[key.removeprefix(names.SEMAPHORE)] = limit.value
        else:
            refusals.append(_unsayable(key, limit.value))
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


def _unsayable(key: str, value: int | None) -> Refusal:
    """No plan can hold such a value; one that comes all the same is not turned into another."""
    message = (
        f"{key}: Argo cannot say 0, it would fail the workflows that name the semaphore instead of"
        " letting them wait. A parallelism of 0 lets no new workflow be created."
        if value == 0
        else f"{key}: a semaphore always has a number. Let the workflows name no lock instead."
    )
    return Refusal(key, "not_expressible", f"{message} Nothing is written for it.")
