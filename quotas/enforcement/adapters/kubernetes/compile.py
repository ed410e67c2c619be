"""Limits and policy of one tenant as the objects of one namespace. Pure.

A suspended tenant's main quota says `pods: 0`: no new pod is admitted, what runs keeps running, and
Jobs created meanwhile are kept and start when the tenant is resumed, so that no work is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quotas.enforcement.adapters.kubernetes import names, network, ranges
from quotas.enforcement.adapters.kubernetes.fields import amount, binding_fields, range_path, wire
from quotas.enforcement.ports import Compiled, DesiredObject, ObjectRef, Refusal, Scalar
from quotas.plans.contracts import (
    EffectiveLimits,
    Group,
    LimitKey,
    Plane,
    Scope,
    quota_name,
    scope_selector,
)
from tenants.adapters.cluster_dns import cluster_dns
from tenants.contracts import PlacementRef, TargetRef

NO_POLICY: Final = "the cluster cannot run the admission policy that would apply it"


@dataclass(slots=True)
class _Sheet:
    """What is being compiled: limits sorted by the object that carries them."""

    limits: EffectiveLimits
    placement: PlacementRef
    quotas: dict[tuple[Scope, ...], dict[LimitKey, int]] = field(default_factory=dict)
    ranges: dict[LimitKey, int] = field(default_factory=dict)
    execution: dict[LimitKey, int] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, str]:
        return {names.MANAGED_BY: names.OURS, names.TENANT: self.limits.tenant}

    def metadata(self, name: str) -> dict[str, Any]:
        return {"name": name, "namespace": self.placement.location, "labels": self.labels}

    def ref(self, kind: str, name: str) -> ObjectRef:
        return ObjectRef(kind, self.placement.location, name)


def compiled(
    limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
) -> Compiled:
    """Everything that should be in the placement's namespace, the namespace itself included."""
    if limits is None or placement.leaving:
        return Compiled()
    sheet = _Sheet(limits, placement)
    _sort(sheet)
    objects = [_namespace(sheet, target), *_quotas(sheet)]
    objects += filter(
        None, (_limit_range(sheet), _network_policy(sheet, target), _role_binding(sheet))
    )
    return Compiled(tuple(objects), tuple(sheet.refusals), tuple(sheet.warnings))


def _sort(sheet: _Sheet) -> None:
    for text, limit in sheet.limits.limits.items():
        key = names.limit_key(text)
        if key is None:
            sheet.refusals.append(Refusal(text, "unknown_limit", f"{text} is not a known limit."))
        elif limit.value is not None and key.plane is Plane.KUBERNETES:
            if key.group is Group.QUOTA:
                sheet.quotas.setdefault(key.scopes, {})[key] = limit.value
            elif key.group is Group.LIMIT_RANGE:
                sheet.ranges[key] = limit.value
            else:
                sheet.execution[key] = limit.value


def _label_fields(labels: Mapping[str, str]) -> dict[str, Scalar]:
    return {f"metadata.labels[{name}]": value for name, value in labels.items()}


# -- Namespace ----------------------------------------------------------------------------------


def _namespace(sheet: _Sheet, target: TargetRef) -> DesiredObject:
    level = sheet.limits.policy.pod_security
    labels = {**sheet.labels, **dict.fromkeys(names.POD_SECURITY, level)}
    annotations, paths, shown = _execution(sheet, target)
    metadata: dict[str, Any] = {"name": sheet.placement.location, "labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    fields = _label_fields(labels)
    fields |= {f"metadata.annotations[{name}]": value for name, value in annotations.items()}
    return DesiredObject(
        ref=ObjectRef("Namespace", "", sheet.placement.location),
        fields=fields,
        manifest={"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        shown=shown,
        limits=paths,
    )


def _execution(
    sheet: _Sheet, target: TargetRef
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Annotations that the admission policy reads; refused where nothing would read them."""
    wanted = {names.EXECUTION[key.resource]: (key, value) for key, value in sheet.execution.items()}
    priority = sheet.limits.policy.priority_class
    if not wanted and not priority:
        return {}, {}, {}
    served = target.features.get("execution_policy")
    if served is False:
        why = str(target.features.get("execution_policy_why") or NO_POLICY)
        for key, _ in wanted.values():
            sheet.refusals.append(Refusal(key.key, "not_served", f"{key.key}: {why}."))
        if priority:
            message = f"Priority class {priority}: {why}."
            sheet.refusals.append(Refusal("priority_class", "not_served", message))
        return {}, {}, {}
    if served is None:
        sheet.warnings.append(
            "It is not known yet whether this cluster can enforce the execution policy; "
            "a test of the connection finds out."
        )
    annotations = {name: str(value) for name, (_, value) in wanted.items()}
    if priority:
        annotations[names.PRIORITY] = priority
    paths = {key.key: f"metadata.annotations[{name}]" for name, (key, _) in wanted.items()}
    shown = {
        f"metadata.annotations[{name}]": amount(value, key.unit)
        for name, (key, value) in wanted.items()
    }
    return annotations, paths, shown


# -- ResourceQuota ------------------------------------------------------------------------------


def _quotas(sheet: _Sheet) -> list[DesiredObject]:
    if sheet.limits.suspended:
        pods = names.limit_key("pods")
        if pods is not None:
            sheet.quotas.setdefault((), {})[pods] = 0
    return [
        _quota(sheet, scopes, hard)
        for scopes, hard in sorted(sheet.quotas.items(), key=lambda item: quota_name(item[0]))
    ]


def _quota(sheet: _Sheet, scopes: tuple[Scope, ...], hard: Mapping[LimitKey, int]) -> DesiredObject:
    name = quota_name(scopes)
    spec: dict[str, Any] = {
        "hard": {key.resource: wire(value, key.unit) for key, value in hard.items()}
    }
    fields = _label_fields(sheet.labels)
    fields |= {f"spec.hard[{key.resource}]": value for key, value in hard.items()}
    if scopes:
        spec["scopeSelector"] = scope_selector(scopes)
        fields["spec.scopes"] = "@".join(map(str, scopes))
    return DesiredObject(
        ref=sheet.ref("ResourceQuota", name),
        fields=fields,
        manifest={
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": sheet.metadata(name),
            "spec": spec,
        },
        shown={
            f"spec.hard[{key.resource}]": amount(value, key.unit) for key, value in hard.items()
        },
        limits={key.key: f"spec.hard[{key.resource}]" for key in hard},
        stage=1,
    )


# -- LimitRange, NetworkPolicy, RoleBinding -----------------------------------------------------


def _limit_range(sheet: _Sheet) -> DesiredObject | None:
    quotas = {key: value for hard in sheet.quotas.values() for key, value in hard.items()}
    items, notes = ranges.complete({**quotas, **sheet.ranges})
    sheet.warnings += notes
    if not items:
        return None
    manifest: list[dict[str, Any]] = []
    fields, shown = _label_fields(sheet.labels), {}
    for range_type, item in sorted(items.items()):
        written: dict[str, Any] = {"type": range_type}
        for (range_field, resource), (value, unit) in sorted(item.items()):
            path = range_path(range_type, range_field, resource)
            written.setdefault(range_field, {})[resource] = wire(value, unit)
            fields[path] = value
            shown[path] = amount(value, unit)
        manifest.append(written)
    return DesiredObject(
        ref=sheet.ref("LimitRange", "headroom"),
        fields=fields,
        manifest={
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": sheet.metadata("headroom"),
            "spec": {"limits": manifest},
        },
        shown=shown,
        limits={
            key.key: range_path(key.range_type, key.range_field, key.resource)
            for key in sheet.ranges
        },
        stage=1,
    )


def _network_policy(sheet: _Sheet, target: TargetRef) -> DesiredObject | None:
    policy = sheet.limits.policy
    if not policy.network_isolated:
        return None
    spec = network.spec(policy.network_exceptions, cluster_dns(target))
    return DesiredObject(
        ref=sheet.ref("NetworkPolicy", "headroom"),
        fields={**_label_fields(sheet.labels), "spec": network.canonical(spec)},
        manifest={
            "apiVersion": names.API["NetworkPolicy"],
            "kind": "NetworkPolicy",
            "metadata": sheet.metadata("headroom"),
            "spec": spec,
        },
        shown={"spec": network.in_words(spec)},
        stage=1,
    )


def _role_binding(sheet: _Sheet) -> DesiredObject | None:
    group, role = sheet.placement.group, sheet.limits.policy.tenant_role
    if not group or not role:
        return None
    # A binding's role cannot be changed, so the name says it: another role is another binding.
    name = f"headroom-{role}"
    body = {
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role,
        },
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group},
        ],
    }
    return DesiredObject(
        ref=sheet.ref("RoleBinding", name),
        fields={**_label_fields(sheet.labels), **binding_fields(body)},
        manifest={
            "apiVersion": names.API["RoleBinding"],
            "kind": "RoleBinding",
            "metadata": sheet.metadata(name),
            **body,
        },
        stage=1,
    )
