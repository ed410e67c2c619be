"""Amounts, keys and rules of a plan against the API server itself: what it stores and refuses."""

import json
import random
import ssl
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from urllib.parse import urlsplit

import pytest

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, LimitKey, Unit, quota_name, scope_selector
from quotas.plans.limits import parse_key
from quotas.plans.quantities import format_quantity, parse_quantity
from quotas.plans.rules.defaults import with_defaults
from quotas.plans.rules.soundness import Limits, Severity, validate_limits
from tests.quotas.plans.stored import canonical
from tests.servers import Cluster

pytestmark = pytest.mark.cluster

Answer = tuple[int, dict[str, object]]
Post = Callable[[str, dict[str, object]], Answer]
Store = Callable[[str], str | None]

SUFFIXES = [
    *("", "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"),
    *("e3", "E6", "e-3", "e+2", "e1", "e-1", "e-9", "e-10", "e21", "e0", "e00", "e07"),
    *("K", "Kb", "ki", "i", "e", "E+", "e3Ki", "0x1"),
]


@pytest.fixture(scope="module")
def post(kube: Cluster) -> Iterator[Post]:
    """POSTs to a collection in the default namespace as a dry run: nothing is stored."""
    address = urlsplit(kube.url)
    trusting = ssl._create_unverified_context()  # noqa: S323 - our own server on loopback
    connection = HTTPSConnection(address.hostname or "", address.port, context=trusting)
    headers = {"Authorization": f"Bearer {kube.token}", "Content-Type": "application/json"}

    def send(plural: str, body: dict[str, object]) -> Answer:
        path = f"/api/v1/namespaces/default/{plural}?dryRun=All"
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    yield send
    connection.close()


def _quota(hard: dict[str, str], **spec: object) -> dict[str, object]:
    return {"metadata": {"name": "probe"}, "spec": {"hard": hard, **spec}}


@pytest.fixture
def store(post: Post) -> Store:
    """What the server makes of an amount in a ResourceQuota; None when it refuses."""

    def ask(text: str) -> str | None:
        status, answer = post("resourcequotas", _quota({"requests.cpu": text}))
        if status != 201:
            assert status in (400, 422), answer
            return None
        spec = answer["spec"]
        assert isinstance(spec, dict)
        return str(spec["hard"]["requests.cpu"])

    return ask


def _ours(text: str) -> str | None:
    try:
        return canonical(text)
    except DomainError:
        return None


def _any_quantity(chance: random.Random) -> str:
    sign = chance.choice(["", "", "", "+", "-"])
    size = chance.choice([0, 1, 1, 2, 3, 4, 6, 11, 18, 19])
    digits = "".join(chance.choices("0123456789", k=size))
    whole = chance.choice(["", "0", "00"]) + digits + chance.choice(["", "", "00", "000"])
    size = chance.choice([1, 2, 3, 4, 9, 12])
    decimals = "".join(chance.choices("0012345", k=size)) + chance.choice(["", "00", "000"])
    return sign + whole + chance.choice(["", "", ".", f".{decimals}"]) + chance.choice(SUFFIXES)


def _stricter_on_purpose(text: str, stored: str) -> bool:
    """We refuse what has no digits, and what the server stores as another, smaller value."""
    bare = text.lstrip("+-").lstrip(".")
    if not bare[:1].isdigit():
        return True
    return text.endswith("E") and parse_quantity(stored) < parse_quantity(text)


def test_a_thousand_random_quantities_are_stored_as_predicted(store: Store) -> None:
    chance = random.Random(20261122)
    agreed = 0
    for _ in range(1000):
        text = _any_quantity(chance)
        stored, ours = store(text), _ours(text)
        if ours is None and stored is not None:
            assert _stricter_on_purpose(text, stored), (text, stored)
        else:
            assert ours == stored, text
            agreed += 1

    assert agreed > 900


@pytest.mark.parametrize(
    "text",
    [
        *("1000m", "1.5", "0.1", "1000", "1024Ki", "2048Mi", "0.5Gi", "1.5Gi", "1000000k", "1e20"),
        *("00", "100n", "1u", "0.1m", "1.0001", "1e3", "12E6", "1e-3", "+5", "1.", "3000Mi"),
        *("1.1Gi", "+1000Ki", "+1Ei", "0512Ki", "01.500", "1.000", "8Ei", "99999Ti", "-0"),
        *("1e999", "1e-999", "-1", "-1m", "1K", "1Kb", "1e3Ki", "abc", "", "0x1", "1e", "1 k"),
        "1.2.3",
    ],
)
def test_the_forms_of_the_facts_are_stored_or_refused_as_predicted(store: Store, text: str) -> None:
    assert _ours(text) == store(text)


@pytest.mark.parametrize("unit", [Unit.MILLICORES, Unit.BYTES, Unit.COUNT, Unit.MILLI])
def test_what_we_send_is_stored_to_the_letter(store: Store, unit: Unit) -> None:
    chance = random.Random(7)
    values = [0, 1, 999, 1000, 1001, 1023, 1024, 512 * 1024, 10**9, 2**30, LARGEST]
    values += [chance.randrange(10 ** chance.randrange(1, 19)) for _ in range(60)]
    values += [chance.randrange(1, 3000) * 1024 ** chance.randrange(1, 5) for _ in range(60)]
    for value in values:
        sent = format_quantity(value, unit)
        assert store(sent) == sent


@pytest.mark.parametrize(
    "text",
    [
        "requests.cpu", "limits.memory", "requests.ephemeral-storage", "limits.ephemeral-storage",
        "pods", "services", "services.loadbalancers", "services.nodeports", "secrets", "configmaps",
        "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "requests.storage",
        "count/jobs.batch", "count/pods", "count/workflows.argoproj.io", "hugepages-2Mi",
        "count/resourceclaims.resource.k8s.io", "requests.nvidia.com/gpu",
        "requests.nvidia.com/mig-1g.18gb", "gpu.deviceclass.resource.k8s.io/devices",
        "gold.storageclass.storage.k8s.io/requests.storage",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims",
        "pods@Terminating", "pods@BestEffort", "requests.cpu@NotTerminating@NotBestEffort",
        "limits.memory@PriorityClass=high,low", "pods@PriorityClass!=low", "pods@!PriorityClass",
        "pods@PriorityClass", "pods@CrossNamespacePodAffinity",
        "requests.nvidia.com/gpu@Terminating",
        "requests.storage@VolumeAttributesClass=fast", "count/pods@NotTerminating",
        "gold.storageclass.storage.k8s.io/requests.storage@!VolumeAttributesClass",
    ],
)  # fmt: skip
def test_every_kind_of_quota_key_is_taken_by_the_server(post: Post, text: str) -> None:
    key = parse_key(text)

    status, answer = post("resourcequotas", _body(key))

    assert status == 201, answer


def _body(key: LimitKey) -> dict[str, object]:
    selector = scope_selector(key.scopes)
    spec = {"hard": {key.resource: "1"}, **({"scopeSelector": selector} if selector else {})}
    return {"metadata": {"name": quota_name(key.scopes)}, "spec": spec}


@pytest.mark.parametrize(
    "text",
    [
        *("container.default.cpu", "container.defaultRequest.memory", "container.max.memory"),
        *("container.min.ephemeral-storage", "container.maxLimitRequestRatio.cpu"),
        *("pod.max.cpu", "pod.min.memory", "pod.maxLimitRequestRatio.memory"),
        *("pvc.max.storage", "pvc.min.storage"),
    ],
)
def test_every_kind_of_range_key_is_taken_by_the_server(post: Post, text: str) -> None:
    key = parse_key(text)
    item = {
        "type": key.range_type,
        key.range_field: {key.resource: format_quantity(2000, key.unit)},
    }

    status, answer = post(
        "limitranges", {"metadata": {"name": "probe"}, "spec": {"limits": [item]}}
    )

    assert status == 201, answer


def _container_range(limits: Limits) -> dict[str, object]:
    item: dict[str, object] = {"type": "Container"}
    for text, value in limits.items():
        key = parse_key(text)
        if key.range_field and value is not None:
            item[key.range_field] = {key.resource: format_quantity(value, key.unit)}
    return {"metadata": {"name": "probe"}, "spec": {"limits": [item]}}


def _any_limits(chance: random.Random) -> dict[str, int | None]:
    fields = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
    return {
        f"container.{field}.cpu": chance.choice([100, 500, 999, 1000, 1500, 2000, 5000])
        for field in fields
        if chance.random() < 0.6
    }


def test_the_rules_refuse_exactly_the_limit_ranges_that_the_server_refuses(post: Post) -> None:
    chance = random.Random(3)
    verdicts = []
    for _ in range(300):
        limits = _any_limits(chance)
        errors = [p for p in validate_limits(limits) if p.severity is Severity.ERROR]
        status, answer = post("limitranges", _container_range(limits))
        assert (status == 201) is (not errors), (limits, errors, answer)
        verdicts.append(status)

    assert {201, 422} == set(verdicts)


def test_a_sound_plan_with_added_defaults_is_taken_by_the_server(post: Post) -> None:
    chance = random.Random(4)
    taken = 0
    for _ in range(300):
        limits = _any_limits(chance) | {"requests.cpu": 1000, "limits.cpu": 300}
        if all(p.severity is Severity.WARNING for p in validate_limits(limits)):
            status, answer = post("limitranges", _container_range(with_defaults(limits)))
            assert status == 201, (limits, answer)
            taken += 1

    assert taken > 30
