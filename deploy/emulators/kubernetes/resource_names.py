"""Resource names and amounts: what the server refuses in any list of quantities."""

import re
from collections.abc import Iterator

import orjson

from deploy.emulators.kubernetes import quantities
from deploy.emulators.kubernetes.errors import Cause, value_invalid

_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_QUALIFIED}')"
)
COUNTS = frozenset(
    {
        "pods",
        "services",
        "services.loadbalancers",
        "services.nodeports",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
    }
)
COMPUTE = frozenset(
    {
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
    }
)


def quoted(value: object) -> str:
    """Return a value as messages show it."""
    return orjson.dumps(value).decode()


def _qualified(name: str) -> list[str]:
    part = name.rsplit("/", 1)[-1]
    problems = []
    if not part:
        problems.append("name part must be non-empty")
    if not re.fullmatch(_QUALIFIED, part):
        problems.append(_QUALIFIED_WORDS)
    return problems


def is_hugepages(name: str) -> bool:
    """Tell whether a resource is huge pages."""
    return name.removeprefix("requests.").startswith("hugepages-")


def is_native(name: str) -> bool:
    """Tell whether a resource is Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def resource_name(name: str, field: str) -> Iterator[Cause]:
    """Yield what is wrong with the name of a resource."""
    problems = _qualified(name)
    for problem in problems:
        yield value_invalid(field, quoted(name), problem)
    if "/" in name or (problems and name in COMPUTE):
        return
    if name not in COMPUTE | COUNTS | {"storage"} and not is_hugepages(name) and not problems:
        yield value_invalid(
            field, quoted(name), "must be a standard resource type or fully qualified"
        )


def is_more(left: str, right: str) -> bool:
    """Tell whether one quantity is larger than another."""
    return quantities.parse(left).value > quantities.parse(right).value
