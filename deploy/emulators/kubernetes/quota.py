"""ResourceQuota: what objects are charged, the recount into `status`, and admission."""

from collections.abc import Iterator
from fractions import Fraction

from deploy.emulators.kubernetes import quantities
from deploy.emulators.kubernetes.defaults import quality
from deploy.emulators.kubernetes.errors import forbidden
from deploy.emulators.kubernetes.kinds import (
    BY_URL,
    EVENT,
    KINDS,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RESOURCE_QUOTA,
    SERVICE,
    Kind,
    Obj,
)
from deploy.emulators.kubernetes.quantities import Quantity
from deploy.emulators.kubernetes.store import Store

Charges = dict[str, Quantity]

_ONE = Quantity(Fraction(1))
_ZERO = Quantity(Fraction(0))
_LEGACY_COUNTS = frozenset(
    {
        "pods",
        "services",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "resourcequotas",
        "replicationcontrollers",
    }
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
# Kinds that a real cluster counts and the emulator does not serve: their use is none.
_ELSEWHERE = frozenset(
    {
        "cronjobs.batch",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "replicationcontrollers",
        "ingresses.networking.k8s.io",
        "leases.coordination.k8s.io",
        "endpoints",
        "podtemplates",
        "resourceclaims.resource.k8s.io",
    }
)


def _sum(left: Quantity, right: Quantity) -> Quantity:
    style = left.style if left.value else right.style
    return Quantity(left.value + right.value, style)


def _plus(left: Charges, right: Charges) -> Charges:
    return {name: _sum(left.get(name, _ZERO), right.get(name, _ZERO)) for name in {**left, **right}}


def _larger(left: Charges, right: Charges) -> Charges:
    names = {**left, **right}
    return {
        name: max(
            left.get(name, _ZERO), right.get(name, _ZERO), key=lambda quantity: quantity.value
        )
        for name in names
    }


def _listed(resources: Obj, part: str) -> Charges:
    return {name: quantities.parse(value) for name, value in (resources.get(part) or {}).items()}


def _needs(spec: Obj, part: str) -> Charges:
    """Return what a pod needs: its containers together, or its largest moment of starting."""
    running: Charges = {}
    starting: Charges = {}
    for container in spec.get("initContainers") or ():
        own = _listed(container.get("resources") or {}, part)
        if container.get("restartPolicy") == "Always":
            running = _plus(running, own)
            own = running
        else:
            own = _plus(running, own)
        starting = _larger(starting, own)
    for container in spec.get("containers") or ():
        running = _plus(running, _listed(container.get("resources") or {}, part))
    needs = _larger(running, starting)
    overhead = {
        name: quantities.parse(value) for name, value in (spec.get("overhead") or {}).items()
    }
    return _plus(needs, overhead) if overhead and needs else needs


def pod_needs(pod: Obj) -> Charges:
    """Return a pod's requests by resource name, as a scheduler reads them."""
    return _needs(pod["spec"], "requests")


def _pod(pod: Obj) -> Charges:
    charges: Charges = {"count/pods": _ONE}
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return charges
    charges["pods"] = _ONE
    for name, amount in _needs(pod["spec"], "requests").items():
        charges[f"requests.{name}"] = amount
        if name in _COMPUTE or name.startswith("hugepages-"):
            charges[name] = amount
    for name, amount in _needs(pod["spec"], "limits").items():
        if name in _COMPUTE:
            charges[f"limits.{name}"] = amount
    return charges


def _claim(claim: Obj) -> Charges:
    charges = {"persistentvolumeclaims": _ONE, "count/persistentvolumeclaims": _ONE}
    storage = (claim["spec"].get("resources") or {}).get("requests", {}).get("storage")
    amount = quantities.parse(storage)
    charges["requests.storage"] = amount
    name = claim["spec"].get("storageClassName")
    if name:
        charges[f"{name}{_STORAGE_CLASS}requests.storage"] = amount
        charges[f"{name}{_STORAGE_CLASS}persistentvolumeclaims"] = _ONE
    return charges


def _service(service: Obj) -> Charges:
    charges = {"services": _ONE, "count/services": _ONE}
    sort, ports = service["spec"].get("type"), len(service["spec"].get("ports") or ())
    if sort == "LoadBalancer":
        charges["services.loadbalancers"] = _ONE
    if sort in ("LoadBalancer", "NodePort"):
        charges["services.nodeports"] = Quantity(Fraction(ports))
    return charges


def charges(kind: Kind, obj: Obj) -> Charges:
    """Return what one object is charged, under every name that a quota may use for it."""
    if kind is POD:
        return _pod(obj)
    if kind is PERSISTENT_VOLUME_CLAIM:
        return _claim(obj)
    if kind is SERVICE:
        return _service(obj)
    if kind is EVENT:
        return {}  # the server never charges events
    counts = {f"count/{kind.qualified}": _ONE}
    if kind.qualified in _LEGACY_COUNTS:
        counts[kind.plural] = _ONE
    return counts


def _in_scope(quota: Obj, kind: Kind, obj: Obj) -> bool:
    spec = quota["spec"]
    scopes: list[tuple[str, str, list[str]]] = [
        (scope, "Exists", []) for scope in spec.get("scopes") or ()
    ]
    for expression in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        values = expression.get("values") or []
        scopes.append((expression["scopeName"], expression["operator"], values))
    if scopes and kind is not POD:
        return False
    return all(_matches(obj, *scope) for scope in scopes)


def _matches(pod: Obj, scope: str, operator: str, values: list[str]) -> bool:
    spec = pod["spec"]
    if scope == "PriorityClass":
        name = spec.get("priorityClassName") or ""
        has = {"In": name in values, "NotIn": name not in values, "Exists": bool(name)}
        return has.get(operator, not name)
    if scope in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) is (scope == "Terminating")
    if scope in ("BestEffort", "NotBestEffort"):
        return (quality(spec) == "BestEffort") is (scope == "BestEffort")
    return False


def _countable(name: str) -> bool:
    """Tell whether the quota controller counts this name at all; others show no `used`."""
    if name.startswith("count/"):
        counted = name.removeprefix("count/")
        plural, _, group = counted.partition(".")
        return ((group, plural) in BY_URL and plural != "events") or counted in _ELSEWHERE
    if "/" in name:
        extended = name.startswith("requests.") or _STORAGE_CLASS in name
        return extended or name.endswith(".deviceclass.resource.k8s.io/devices")
    return True


def recount(store: Store, quota: Obj) -> Obj:
    """Return the `status` that the quota controller would write."""
    hard: dict[str, str] = quota["spec"].get("hard") or {}
    namespace = quota["metadata"]["namespace"]
    used: Charges = {name: _ZERO for name in hard if _countable(name)}
    for kind in KINDS:
        if not kind.namespaced or not _concerns(kind, used):
            continue
        for obj in store.in_namespace(kind, namespace):
            if _in_scope(quota, kind, obj):
                for name, amount in charges(kind, obj).items():
                    if name in used:
                        used[name] = _sum(used[name], amount)
    if not hard:
        return {}
    shown = {name: used[name].text() for name in sorted(used)}
    return {"hard": dict(sorted(hard.items())), **({"used": shown} if shown else {})}


def _concerns(kind: Kind, names: Charges) -> bool:
    if kind is POD:
        return any(
            name in ("pods", "count/pods", *_COMPUTE)
            or name.startswith(("requests.", "limits.", "hugepages-"))
            for name in names
        )
    if kind is PERSISTENT_VOLUME_CLAIM:
        return any("persistentvolumeclaims" in name or "storage" in name for name in names)
    if kind is SERVICE:
        return any("services" in name for name in names)
    return f"count/{kind.qualified}" in names or kind.plural in names


def _unspecified(quota: Obj, pod: Obj) -> dict[str, list[str]]:
    """Return the resources that the quota wants named, with the containers that do not."""
    missing: dict[str, list[str]] = {}
    spec = pod["spec"]
    for name in sorted(quota["spec"].get("hard") or ()):
        part, _, resource = name.rpartition(".") if "." in name else ("requests", "", name)
        if resource not in ("cpu", "memory") or part not in ("requests", "limits"):
            continue
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            if resource not in ((container.get("resources") or {}).get(part) or {}):
                missing.setdefault(name, []).append(container["name"])
    return missing


def admit(store: Store, kind: Kind, obj: Obj) -> None:
    """Raise ApiError 403 when a quota of the namespace does not let the object in."""
    namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
    quotas = [
        quota
        for _, quota in store.ordered(RESOURCE_QUOTA, namespace)
        if namespace and (quota.get("status") or {}).get("hard") and _in_scope(quota, kind, obj)
    ]
    for quota in quotas:
        missing = _unspecified(quota, obj) if kind is POD else {}
        if missing:
            listed = "; ".join(
                f"{resource} for: {','.join(sorted(containers))}"
                for resource, containers in missing.items()
            )
            words = f"failed quota: {quota['metadata']['name']}: must specify {listed}"
            raise forbidden(kind, name, words)
    wanted = {key: amount for key, amount in charges(kind, obj).items() if amount.value}
    for quota in quotas:
        exceeded = list(_exceeded(quota, wanted))
        if exceeded:
            requested, used, limited = (
                ",".join(f"{row[0]}={row[column]}" for row in exceeded) for column in (1, 2, 3)
            )
            words = (
                f"exceeded quota: {quota['metadata']['name']}, requested: {requested}, "
                f"used: {used}, limited: {limited}"
            )
            raise forbidden(kind, name, words)


def _exceeded(quota: Obj, wanted: Charges) -> Iterator[tuple[str, str, str, str]]:
    status = quota["status"]
    for name in sorted(wanted):
        if name not in status["hard"]:
            continue
        limit = status["hard"][name]
        used = status.get("used", {}).get(name, "0")
        if quantities.parse(used).value + wanted[name].value > quantities.parse(limit).value:
            yield name, wanted[name].text(), used, limit
