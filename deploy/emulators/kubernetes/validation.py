"""What the server refuses in an object, in its words; names first, then per kind."""

import re
from collections.abc import Callable, Iterator

from deploy.emulators.kubernetes import quantities
from deploy.emulators.kubernetes.errors import (
    Cause,
    invalid,
    value_invalid,
    value_required,
)
from deploy.emulators.kubernetes.kinds import Kind, Obj
from deploy.emulators.kubernetes.limit_validation import check_limit_range
from deploy.emulators.kubernetes.resource_names import (
    COMPUTE,
    COUNTS,
    is_hugepages,
    is_more,
    is_native,
    quoted,
    resource_name,
)

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    rf"for validation is '{_LABEL}(\.{_LABEL})*')"
)
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    f"used for validation is '{_LABEL}')"
)
POD_SCOPES = frozenset({"Terminating", "NotTerminating", "BestEffort", "NotBestEffort"})
_SCOPES = POD_SCOPES | {"PriorityClass", "CrossNamespacePodAffinity", "VolumeAttributesClass"}
_COMPUTE_SCOPED = COMPUTE - {"requests.storage"} | {"pods"}
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_EXISTS_WORDS = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
    "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_IMMUTABLE = "field is immutable"


def check(kind: Kind, obj: Obj, old: Obj | None) -> None:
    """Raise ApiError 422 with every wrong field of a new object or of an update."""
    causes = list(_name(kind, obj))
    checker = _CHECKS.get(kind.name)
    if checker:
        causes += checker(obj, old)
    if causes:
        raise invalid(kind, obj["metadata"].get("name", ""), list(dict.fromkeys(causes)))


def _name(kind: Kind, obj: Obj) -> Iterator[Cause]:
    name = obj["metadata"].get("name", "")
    if not name:
        yield value_required("metadata.name", "name or generateName is required")
    elif kind.free_name:
        return
    elif kind.dns_label and "." in name:
        yield value_invalid("metadata.name", quoted(name), "must not contain dots")
    elif not re.fullmatch(_LABEL if kind.dns_label else _SUBDOMAIN, name):
        words = _LABEL_WORDS if kind.dns_label else _NAME_WORDS
        yield value_invalid("metadata.name", quoted(name), words)


def _quota(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj["spec"]
    hard: dict[str, str] = spec.get("hard") or {}
    for name, value in sorted(hard.items()):
        yield from _quota_limit(name, value)
    scopes = spec.get("scopes") or []
    if scopes:
        yield from _scopes(scopes, set(hard))
    selector = spec.get("scopeSelector") or {}
    for expression in selector.get("matchExpressions") or ():
        yield from _scope_expression(expression)
    if old:
        for key in ("scopes", "scopeSelector"):
            if (old["spec"].get(key) or []) != (spec.get(key) or []):
                yield value_invalid(f"spec.{key}", quoted(spec.get(key)), _IMMUTABLE)


def _quota_limit(name: str, value: str) -> Iterator[Cause]:
    field = f"spec.hard[{name}]"
    named = list(resource_name(name, field))
    yield from named
    plain = "/" not in name and name not in COMPUTE | COUNTS and not is_hugepages(name)
    if plain:
        yield value_invalid(field, quoted(name), "must be a standard resource for quota")
    amount = quantities.parse(value).value
    if amount < 0:
        yield value_invalid(field, quoted(value), "must be greater than or equal to 0")
    is_whole = name in COUNTS or (not is_native(name) and not name.startswith("requests."))
    is_whole = is_whole or name.startswith("count/") or "storageclass.storage.k8s.io/" in name
    is_whole = is_whole or name.endswith(".deviceclass.resource.k8s.io/devices")
    if is_whole and amount.denominator != 1:
        yield value_invalid(field, quoted(value), "must be an integer")


def _scopes(scopes: list[str], hard: set[str]) -> Iterator[Cause]:
    shown = quoted(scopes)
    for scope in scopes:
        if scope not in _SCOPES:
            yield value_invalid("spec.scopes", shown, "unsupported scope")
            continue
        for name in sorted(hard):
            allowed = {"pods"} if scope == "BestEffort" else _COMPUTE_SCOPED
            if scope in POD_SCOPES and name not in allowed and "/" not in name:
                yield value_invalid("spec.scopes", shown, "unsupported scope applied to resource")
    if any(opposite <= set(scopes) for opposite in _OPPOSITES):
        yield value_invalid("spec.scopes", shown, "conflicting scopes")


def _scope_expression(expression: Obj) -> Iterator[Cause]:
    field = "spec.scopeSelector.matchExpressions"
    scope, operator = expression.get("scopeName"), expression.get("operator")
    if scope not in _SCOPES:
        yield value_invalid(f"{field}.scopeName", quoted(scope), "unsupported scope")
    if scope in POD_SCOPES | {"CrossNamespacePodAffinity"} and operator != "Exists":
        yield value_invalid(f"{field}.operator", quoted(operator), _EXISTS_WORDS)
    elif operator in ("In", "NotIn") and not expression.get("values"):
        yield value_required(
            f"{field}.values",
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        )
    elif operator in ("Exists", "DoesNotExist") and expression.get("values"):
        yield value_invalid(
            f"{field}.values",
            quoted(expression["values"]),
            "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector",
        )


def _pod(obj: Obj, _old: Obj | None) -> Iterator[Cause]:
    yield from _pod_spec(obj["spec"], "spec")


def _pod_spec(spec: Obj, field: str) -> Iterator[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        yield value_required(f"{field}.containers")
    for index, container in enumerate(containers):
        where = f"{field}.containers[{index}]"
        for key in ("name", "image"):
            if not container.get(key):
                yield value_required(f"{where}.{key}")
        yield from _resources(container["resources"], f"{where}.resources")


def _resources(resources: Obj, field: str) -> Iterator[Cause]:
    limits = resources.get("limits") or {}
    for part in ("limits", "requests"):
        for name, value in (resources.get(part) or {}).items():
            where = f"{field}.{part}[{name}]"
            if "/" not in name and name not in ("cpu", "memory", "ephemeral-storage"):
                words = "must be a standard resource type or fully qualified"
                if not name.startswith("hugepages-"):
                    yield value_invalid(where, quoted(name), words)
                    words = "must be a standard resource for containers"
                    yield value_invalid(where, quoted(name), words)
            elif quantities.parse(value).value < 0:
                yield value_invalid(where, quoted(value), "must be greater than or equal to 0")
            elif part == "requests" and name in limits and is_more(value, limits[name]):
                words = f"must be less than or equal to {name} limit of {limits[name]}"
                yield value_invalid(f"{field}.requests", quoted(value), words)


def _job(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj["spec"]
    for key in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"):
        value = spec.get(key)
        if isinstance(value, int) and value < 0:
            words = "must be greater than or equal to 0"
            yield value_invalid(f"spec.{key}", quoted(value), words)
    template = spec["template"]["spec"]
    yield from _pod_spec(template, "spec.template.spec")
    if template.get("restartPolicy") not in ("OnFailure", "Never"):
        words = 'valid values: "OnFailure", "Never"'
        yield value_required("spec.template.spec.restartPolicy", words)
    if old and old["spec"]["template"] != spec["template"]:
        yield value_invalid("spec.template", quoted(spec["template"]), _IMMUTABLE)


def _binding(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    role = obj.get("roleRef") or {}
    if not role.get("name"):
        yield value_required("roleRef.name")
    if old and old["roleRef"] != role:
        shown = {"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]}
        yield value_invalid("roleRef", quoted(shown), _IMMUTABLE)


_CHECKS: dict[str, Callable[[Obj, Obj | None], Iterator[Cause]]] = {
    "ResourceQuota": _quota,
    "LimitRange": check_limit_range,
    "Pod": _pod,
    "Job": _job,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
