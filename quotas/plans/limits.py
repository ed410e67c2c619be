"""The closed catalogue of limit keys: every number that a plan can set, by one flat name.

A key is what the database, YAML, the API and the pages call a limit. The families:

- **ResourceQuota**: the name as it stands in `spec.hard` (`requests.cpu`, `count/jobs.batch`,
  `gold.storageclass.storage.k8s.io/requests.storage`). `cpu`, `memory`, `ephemeral-storage` and
  `hugepages-SIZE` mean the same as their `requests.` form and are turned into it. Behind `@` stand
  the scopes, each with its own `@`: `pods@Terminating`, `requests.cpu@PriorityClass=high,low` (In),
  `…@PriorityClass!=low` (NotIn), `…@PriorityClass` (Exists), `…@!PriorityClass` (DoesNotExist),
  `pods@NotBestEffort@PriorityClass=high` (both). Scopes and values are sorted, so that one limit
  has one spelling. Every distinct set of scopes becomes one ResourceQuota.
- **LimitRange**: `container.|pod.|pvc.` + `default|defaultRequest|min|max|maxLimitRequestRatio`
  + resource: `container.defaultRequest.memory`.
- **Execution policy**: `job.ttlSecondsAfterFinished`, `job.activeDeadlineSeconds`.
- **Temporal**: `temporal.queue_rate`, `temporal.tenant_rate`, `temporal.weight`.
- **Argo Workflows**: `argo.parallelism`, and `argo.semaphore.NAME` for the key NAME of the
  ConfigMap `headroom-limits`. **Celery**: `celery.queue_rate`.
- **Job audit trail**: `trail.retentionSeconds`, which Headroom keeps itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from console.errors import DomainError
from quotas.plans.contracts import Group, LimitKey, Scope, Unit
from quotas.plans.errors import LONGEST_KEY, invalid_limit, unknown_key
from quotas.plans.quantities import format_amount, parse_amount

_DNS: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

_ALIASES: Final = {name: f"requests.{name}" for name in ("cpu", "memory", "ephemeral-storage")}
_COMPUTE: Final = {
    f"{side}.{name}": (unit, f"{words} {side}", f"Sum of {words} {side} of all unfinished pods")
    for side in ("requests", "limits")
    for name, unit, words in (
        ("cpu", Unit.MILLICORES, "CPU"), ("memory", Unit.BYTES, "memory"),
        ("ephemeral-storage", Unit.BYTES, "ephemeral storage"),
    )
}  # fmt: skip
_COUNTED: Final = {
    "pods": "Pods that have not finished; finished ones are free (count/pods counts those too)",
    "services": "Services of every type",
    "services.loadbalancers": "Services of type LoadBalancer",
    "services.nodeports": "Node ports of all Services, those of load balancers included",
    "secrets": "Secrets",
    "configmaps": "ConfigMaps, kube-root-ca.crt included",
    "persistentvolumeclaims": "Persistent volume claims",
    "replicationcontrollers": "Replication controllers",
    "resourcequotas": "ResourceQuotas, Headroom's own included",
}
_STORAGE: Final = "Sum of storage that volume claims request"
# Patterns for names that carry a name of the cluster's own. First match wins.
_PATTERNS: Final = (
    (rf"count/(?=.{{1,63}}\Z)(?P<n>{_DNS})",
     Unit.COUNT, "{n} (count)", "{n} objects that exist, finished too"),
    (r"requests\.hugepages-(?P<n>[1-9][0-9]*([KMGTP]i|[kMGTP])?)",
     Unit.BYTES, "huge pages of {n}", "Sum of {n} huge pages of all unfinished pods"),
    (rf"(?P<n>{_DNS})\.storageclass\.storage\.k8s\.io/requests\.storage",
     Unit.BYTES, "storage of class {n}", _STORAGE + ", class {n}"),
    (rf"(?P<n>{_DNS})\.storageclass\.storage\.k8s\.io/persistentvolumeclaims",
     Unit.COUNT, "volume claims of class {n}", "Persistent volume claims of class {n}"),
    (rf"(?P<n>{_DNS})\.deviceclass\.resource\.k8s\.io/devices",
     Unit.COUNT, "devices of class {n}", "Devices of class {n} that resource claims ask for"),
    (rf"requests\.(?!count/)(?P<n>{_DNS}/{_NAME})",
     Unit.COUNT, "{n} requests", "Sum of {n} of all unfinished pods; never overcommitted"),
)  # fmt: skip

_RANGE_TYPES: Final = {"container": "Container", "pod": "Pod", "pvc": "PersistentVolumeClaim"}
_RANGE_FIELDS: Final = {
    "default": ("default {what} limit", "limit given to a container that names none; a container"
                " that requests more than this and names no limit is refused"),
    "defaultRequest": ("default {what} request", "request given to a container that names none"),
    "min": ("least {what}", "smallest request accepted, checked when the object is created"),
    "max": ("most {what}", "largest limit accepted; without a default it is the default as well"),
    "maxLimitRequestRatio": ("{what} limit ÷ request at most", "how far a limit may exceed its"
                             " request; 1 forbids overcommitment, below 1 is refused"),
}  # fmt: skip
_RANGE_UNITS: Final = {
    "cpu": Unit.MILLICORES, "memory": Unit.BYTES, "ephemeral-storage": Unit.BYTES,
    "storage": Unit.BYTES,
}  # fmt: skip

_SINGLE: Final = (
    LimitKey(
        "job.ttlSecondsAfterFinished", Group.EXECUTION, Unit.SECONDS, "ttlSecondsAfterFinished",
        "keep finished Jobs", "Time after which a finished Job and its pods are deleted; 0 deletes"
        " at once, unlimited keeps them", largest=2**31 - 1,
    ),
    LimitKey(
        "job.activeDeadlineSeconds", Group.EXECUTION, Unit.SECONDS, "activeDeadlineSeconds",
        "longest Job", "Time after which a running Job is stopped and marked failed, retries"
        " included; 0 is refused, unlimited lets it run", positive=True,
    ),
    LimitKey(
        "temporal.queue_rate", Group.TEMPORAL, Unit.MILLI_PER_SECOND, "queue_rate",
        "activity rate of the queue", "Activity starts per second on the tenant's dedicated task"
        " queue, after a burst of about one second; 0 pauses the queue",
    ),
    LimitKey(
        "temporal.tenant_rate", Group.TEMPORAL, Unit.MILLI_PER_SECOND, "tenant_rate",
        "activity rate", "Activity starts per second of this tenant on a shared task queue, set as"
        " fairness weight x the queue's base rate; 0 cannot be said exactly on a shared queue",
    ),
    LimitKey(
        "temporal.weight", Group.TEMPORAL, Unit.MILLI, "weight",
        "fairness weight", "Share of a shared task queue relative to other tenants (1 is normal);"
        " 0 is refused, the least is 0.001, the most that Temporal heeds is 1000", positive=True,
        required=True, largest=1_000_000,
    ),
    LimitKey(
        "argo.parallelism", Group.ARGO, Unit.COUNT, "parallelism", "running workflows",
        "Workflows of the tenant that run at once, those that wait for a lock included; more wait"
        " in a queue. 0: a quota lets no new workflow be created", largest=2**31 - 1,
    ),
    LimitKey(
        "celery.queue_rate", Group.CELERY, Unit.MILLI_PER_SECOND, "queue_rate",
        "task rate of the queue", "Task starts per second on the tenant's queue, over all its"
        " workers together; 0 pauses the queue",
    ),
    LimitKey(
        "trail.retentionSeconds", Group.TRAIL, Unit.SECONDS, "retentionSeconds",
        "keep job audit trails",
        "Time for which the tenant's finished runs are kept by Headroom, whatever the engine"
        " keeps; 0 is refused, unlimited keeps them for good", positive=True,
    ),
)  # fmt: skip
_SEMAPHORE: Final = LimitKey(
    "argo.semaphore.NAME", Group.ARGO, Unit.COUNT, "NAME", "holders of lock NAME",
    "Workflows or steps that hold the semaphore at once: those that name this key of the ConfigMap"
    " headroom-limits. 0 is refused, as Argo would fail such runs; for unlimited, name no lock",
    largest=2**31 - 1, positive=True, required=True,
)  # fmt: skip
_BY_NAME: Final = {single.key: single for single in _SINGLE}

_POD_SCOPES: Final = (
    "Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
)  # fmt: skip
_ON_PODS: Final = re.compile(
    rf"pods|count/pods|(requests|limits)\.(cpu|memory)|requests\.{_DNS}/{_NAME}"
)
_ON_CLAIMS: Final = re.compile(
    rf"requests\.storage|persistentvolumeclaims|{_DNS}\.storageclass\.storage\.k8s\.io/.*"
)
_TRACKS: Final = {
    **dict.fromkeys(_POD_SCOPES, (_ON_PODS, "pods and their CPU, memory and devices")),
    "BestEffort": (re.compile(r"pods|count/pods"), "pods, which request nothing by definition"),
    "VolumeAttributesClass": (_ON_CLAIMS, "volume claims and their storage"),
}
_SELECTIVE: Final = ("PriorityClass", "VolumeAttributesClass")
_SCOPE: Final = re.compile(rf"(!?)([A-Za-z]+)(?:(!?=)({_DNS}(?:,{_DNS})*))?")


def parse_key(text: str) -> LimitKey:
    """The limit that `text` names, in its one spelling.

    Raises DomainError("invalid_limit_key") with the key as `field` and what would be right.
    """
    if len(text) > LONGEST_KEY:
        raise unknown_key(text, f"is longer than {LONGEST_KEY} characters")
    if text in _BY_NAME:
        return _BY_NAME[text]
    if match := re.fullmatch(rf"argo\.semaphore\.(?=.{{1,63}}\Z)({_DNS})", text):
        return replace(_SEMAPHORE, key=text, resource=match[1], label=f"holders of lock {match[1]}")
    if text.split(".", 1)[0] in _RANGE_TYPES and "/" not in text:
        return _range_key(text)
    name, *conditions = text.split("@")
    plain = _quota_key(_normalised(name), text)
    if not conditions:
        return plain
    scopes = _scopes(conditions, plain.resource, text)
    key = "@".join([plain.key, *map(str, scopes)])
    label = f"{plain.label} ({', '.join(map(str, scopes))})"
    return replace(plain, key=key, scopes=scopes, label=label)


def _normalised(name: str) -> str:
    return f"requests.{name}" if name.startswith("hugepages-") else _ALIASES.get(name, name)


def _quota_key(name: str, text: str) -> LimitKey:
    def key(unit: Unit, label: str, hint: str) -> LimitKey:
        return LimitKey(name, Group.QUOTA, unit, name, label, f"{hint}. 0 allows none.")

    if name in _COMPUTE:
        return key(*_COMPUTE[name])
    if name == "requests.storage":
        return key(Unit.BYTES, "storage requests", _STORAGE)
    if name in _COUNTED:
        return key(Unit.COUNT, f"{name} (count)", _COUNTED[name])
    for pattern, unit, label, hint in _PATTERNS:
        if match := re.fullmatch(pattern, name):
            return key(unit, label.format(n=match["n"]), hint.format(n=match["n"]))
    raise unknown_key(text, _why_no_quota(name))


def _why_no_quota(name: str) -> str:
    if name.startswith("limits.") and ("/" in name or "hugepages" in name):
        return (f"cannot be a quota: devices and huge pages are never overcommitted, so only their"
                f" requests are counted; use requests.{name[7:]}")  # fmt: skip
    if name.startswith(("count/", "requests.count/")):
        return "is no kind of object; use count/PLURAL or count/PLURAL.GROUP, as count/jobs.batch"
    if re.fullmatch(rf"{_DNS}/{_NAME}", name):
        return f"is not counted by a quota; use requests.{name}"
    return ("is not a limit; use a ResourceQuota name (requests.cpu, pods, count/jobs.batch,"
            " requests.nvidia.com/gpu), container.default.memory, pod.max.cpu, pvc.max.storage,"
            f" argo.semaphore.NAME, or one of {', '.join(_BY_NAME)}")  # fmt: skip


def _scopes(conditions: list[str], resource: str, text: str) -> tuple[Scope, ...]:
    scopes = sorted((_scope(part, resource, text) for part in conditions), key=str)
    if len(names := {scope.name for scope in scopes}) < len(scopes):
        raise unknown_key(text, "names one scope twice; put all values behind one =")
    for name in ("Terminating", "BestEffort"):
        if {name, f"Not{name}"} <= names:
            raise unknown_key(text, f"can match no pod: {name} and Not{name} exclude each other")
    return tuple(scopes)


def _scope(condition: str, resource: str, text: str) -> Scope:
    match = _SCOPE.fullmatch(condition)
    if match is None or match[2] not in _TRACKS:
        raise unknown_key(text, f"has an unknown scope {condition!r}; use {', '.join(_TRACKS)}, and"
                          " PriorityClass=high, PriorityClass!=low or !PriorityClass")  # fmt: skip
    absent, name, sign, listed = match.groups()[:4]
    if (absent and sign) or ((absent or sign) and name not in _SELECTIVE):
        raise unknown_key(text, f"asks too much of scope {name}: only {' and '.join(_SELECTIVE)}"
                          " take values or a leading !, and not both at once")  # fmt: skip
    tracked, words = _TRACKS[name]
    if not tracked.fullmatch(resource):
        raise unknown_key(text, f"cannot be scoped so: {name} only tracks {words}")
    if sign:
        operator = "In" if sign == "=" else "NotIn"
        return Scope(name, operator, tuple(sorted(set(listed.split(",")))))
    return Scope(name, "DoesNotExist" if absent else "Exists")


def _range_key(text: str) -> LimitKey:
    kind, _, rest = text.partition(".")
    field, _, resource = rest.partition(".")
    resources = ("storage",) if kind == "pvc" else ("cpu", "memory", "ephemeral-storage")
    fields = ("min", "max") if kind == "pvc" else tuple(_RANGE_FIELDS)
    if kind != "container" and field in ("default", "defaultRequest"):
        raise unknown_key(text, f"is refused by Kubernetes: only containers have a {field}; use"
                          f" container.{field}.cpu")  # fmt: skip
    if field not in fields or resource not in resources:
        raise unknown_key(text, f"is not a LimitRange limit; use {kind}.FIELD.RESOURCE with FIELD"
                          f" one of {', '.join(fields)} and RESOURCE one of"
                          f" {', '.join(resources)}")  # fmt: skip
    label, hint = _RANGE_FIELDS[field]
    ratio = field == "maxLimitRequestRatio"
    return LimitKey(
        text, Group.LIMIT_RANGE, Unit.MILLI if ratio else _RANGE_UNITS[resource], resource,
        f"{label.format(what=resource)} per {kind}", f"For each {kind}: {hint}.",
        range_type=_RANGE_TYPES[kind], range_field=field, positive=ratio,
    )  # fmt: skip


def check_value(key: LimitKey, value: int | None) -> None:
    """Raises DomainError("invalid_limit") when a base value makes no sense for its limit."""
    if value is None:
        if key.required:
            raise invalid_limit(key.key, "unlimited is not accepted; use a number such as 1")
    elif value < 0:
        raise invalid_limit(
            key.key, f"{value} is negative; use 0 for none or unlimited for no limit"
        )
    elif value == 0 and key.positive:
        raise invalid_limit(key.key, "0 is not accepted; use a number above 0")
    elif value > key.largest:
        raise invalid_limit(key.key, f"{format_amount(value, key.unit)} is too much; the most is"
                            f" {format_amount(key.largest, key.unit)}")  # fmt: skip


def parse_limit(key: LimitKey, written: str | float | None) -> int | None:
    """What stands behind a key in YAML or a form, in base units.

    A number means what it would mean as text: `requests.cpu: 40` is 40 cores, as in a manifest.
    None and `unlimited` both give None. Raises DomainError with the key as `field`.
    """
    if isinstance(written, bool):
        raise invalid_limit(key.key, f"{written} is not a number")
    try:
        value = None if written is None else parse_amount(str(written), key.unit)
    except DomainError as error:
        raise invalid_limit(key.key, error.message.rstrip(".")) from error
    check_value(key, value)
    return value


def format_limit(key: LimitKey, value: int | None) -> str:
    """The text of a base value for YAML and forms; `parse_limit` reads it back exactly."""
    return format_amount(value, key.unit)
