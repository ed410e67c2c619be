"""What the server fills in when an object is read or first stored."""

import base64
from collections.abc import Callable
from typing import Any

from deploy.emulators.kubernetes import quantities
from deploy.emulators.kubernetes.kinds import Kind, Obj

ROOT_CA = "kube-root-ca.crt"
_CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_JOB = {
    "backoffLimit": 6,
    "completionMode": "NonIndexed",
    "manualSelector": False,
    "podReplacementPolicy": "TerminatingOrFailed",
    "suspend": False,
}


def copied(value: Any) -> Any:
    """Return a deep copy of JSON data (faster than copy.deepcopy)."""
    if isinstance(value, dict):
        return {key: copied(child) for key, child in value.items()}
    if isinstance(value, list):
        return [copied(child) for child in value]
    return value


def fill(kind: Kind, obj: Obj) -> None:
    """Fill in defaults and canonical quantities in place; raises QuantityError."""
    metadata = obj["metadata"]
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        if key in metadata and not metadata[key]:
            del metadata[key]
    filler = _FILLERS.get(kind.name)
    if filler:
        filler(obj)


def _quantities(holder: Obj, *names: str) -> None:
    for name in names:
        listed = holder.get(name)
        if listed is None:
            holder.pop(name, None)
        else:
            holder[name] = {
                key: quantities.canonical(value) for key, value in sorted(listed.items())
            }


def _spec(obj: Obj) -> Obj:
    spec: Obj = obj.get("spec") or {}
    obj["spec"] = spec
    return spec


def _status(obj: Obj) -> Obj:
    status: Obj = obj.get("status") or {}
    obj["status"] = status
    return status


def _namespace(obj: Obj) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
    _spec(obj).setdefault("finalizers", ["kubernetes"])
    _status(obj).setdefault("phase", "Active")


def _quota(obj: Obj) -> None:
    _quantities(_spec(obj), "hard")
    _quantities(_status(obj), "hard", "used")


def _limit_range(obj: Obj) -> None:
    for item in _spec(obj).get("limits") or ():
        _quantities(item, "max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
        if item.get("type") != "Container":
            continue
        # A maximum is the default limit; a default limit is the default request, then a minimum.
        for target, source in (
            ("default", "max"),
            ("defaultRequest", "default"),
            ("defaultRequest", "min"),
        ):
            merged = {**item.get(source, {}), **item.get(target, {})}
            if merged:
                item[target] = dict(sorted(merged.items()))


def _pod(obj: Obj) -> None:
    fill_pod_spec(_spec(obj))
    spec = obj["spec"]
    spec.setdefault("enableServiceLinks", True)
    status = _status(obj)
    status.setdefault("phase", "Pending")
    status["qosClass"] = quality(spec)


def fill_pod_spec(spec: Obj) -> None:
    """Fill in the defaults of a pod or of a pod template."""
    for key, value in _POD.items():
        spec.setdefault(key, copied(value))
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for key, value in _CONTAINER.items():
            container.setdefault(key, copied(value))
        pinned = ":" in container.get("image", "") and not container["image"].endswith(":latest")
        container.setdefault("imagePullPolicy", "IfNotPresent" if pinned else "Always")
        for port in container.get("ports") or ():
            port.setdefault("protocol", "TCP")
        resources = container["resources"] = container["resources"] or {}
        _quantities(resources, "limits", "requests")
        missing = set(resources.get("limits", {})) - set(resources.get("requests", {}))
        if missing and "template" not in spec:
            requests = resources.setdefault("requests", {})
            requests.update({key: resources["limits"][key] for key in missing})
            resources["requests"] = dict(sorted(requests.items()))


def quality(spec: Obj) -> str:
    """Return the quality-of-service class of a pod spec."""
    pairs: list[tuple[Obj, Obj]] = []
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        pairs.append((_computed(resources, "requests"), _computed(resources, "limits")))
    if not any(requests or limits for requests, limits in pairs):
        return "BestEffort"
    same = all(len(limits) == 2 and requests == limits for requests, limits in pairs)
    return "Guaranteed" if same else "Burstable"


def _computed(resources: Obj, name: str) -> Obj:
    parsed = {
        key: quantities.parse(value).value
        for key, value in (resources.get(name) or {}).items()
        if key in ("cpu", "memory")
    }
    return {key: value for key, value in parsed.items() if value}


def _job(obj: Obj) -> None:
    spec = _spec(obj)
    if spec.get("parallelism") is None and spec.get("completions") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    for key, value in _JOB.items():
        spec.setdefault(key, value)
    template = spec.setdefault("template", {})
    metadata = template.setdefault("metadata", {})
    restart = template.setdefault("spec", {}).get("restartPolicy")
    fill_pod_spec(template["spec"])
    if restart is None:
        template["spec"]["restartPolicy"] = "Always"
    uid = obj["metadata"].get("uid")
    if uid and not spec["manualSelector"]:
        labels = job_labels(obj["metadata"]["name"], uid)
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        obj["metadata"].setdefault("labels", dict(metadata["labels"]))
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    _status(obj)


def job_labels(name: str, uid: str) -> dict[str, str]:
    """Return the labels that tie pods to their Job."""
    return {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }


def _secret(obj: Obj) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _service(obj: Obj) -> None:
    spec = _spec(obj)
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    _status(obj).setdefault("loadBalancer", {})


def _claim(obj: Obj) -> None:
    spec = _spec(obj)
    spec.setdefault("volumeMode", "Filesystem")
    _quantities(spec.setdefault("resources", {}), "requests", "limits")
    _status(obj).setdefault("phase", "Pending")


def _node(obj: Obj) -> None:
    _spec(obj)
    status = _status(obj)
    _quantities(status, "allocatable", "capacity")
    if not status.get("allocatable"):
        status["allocatable"] = dict(status.get("capacity") or {})


def _network_policy(obj: Obj) -> None:
    spec = _spec(obj)
    spec.setdefault("podSelector", {})
    spec.setdefault("policyTypes", ["Ingress", *(["Egress"] if spec.get("egress") else [])])


def _binding(obj: Obj) -> None:
    role = obj.get("roleRef") or {}
    role.setdefault("apiGroup", "rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _priority_class(obj: Obj) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _policy(obj: Obj) -> None:
    spec = _spec(obj)
    spec.setdefault("failurePolicy", "Fail")
    match = spec.setdefault("matchConstraints", {})
    match.setdefault("namespaceSelector", {})
    match.setdefault("objectSelector", {})
    match.setdefault("matchPolicy", "Equivalent")
    for rule in match.get("resourceRules") or ():
        rule.setdefault("scope", "*")


_FILLERS: dict[str, Callable[[Obj], None]] = {
    "Namespace": _namespace,
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "Pod": _pod,
    "Job": _job,
    "Secret": _secret,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "Node": _node,
    "NetworkPolicy": _network_policy,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "PriorityClass": _priority_class,
    "MutatingAdmissionPolicy": _policy,
}
