"""Who refused a pod is read from what the API server says, not from what others let it say."""

from __future__ import annotations

import pytest

from observability.engines.contracts import FailureKind
from observability.engines.refusals import refusal_in, refusal_within

POD = 'Error creating: pods "render-x7k2p" is forbidden: '
ACCOUNT = f"{POD}error looking up service account acme/worker: "
MESSAGES: dict[str, tuple[str, FailureKind, str, str]] = {
    "exceeded": (
        f"{POD}exceeded quota: headroom, requested: requests.cpu=2, used: requests.cpu=4, "
        "limited: requests.cpu=4",
        *(FailureKind.QUOTA, "headroom", "requests.cpu: asked 2, used 4 of 4"),
    ),
    "combined": (
        f"(combined from similar events): {POD}exceeded quota: headroom, requested: pods=1, used: "
        "pods=3, limited: pods=3",
        *(FailureKind.QUOTA, "headroom", "pods: asked 1, used 3 of 3"),
    ),
    "must specify": (
        f"{POD}failed quota: headroom: must specify limits.memory for: main; requests.cpu for: "
        "main",
        *(FailureKind.QUOTA, "headroom"),
        "failed quota: headroom: must specify limits.memory for: main; requests.cpu for: main",
    ),
    "unknown": (
        f"{POD}status unknown for quota: headroom, resources: requests.cpu",
        *(FailureKind.QUOTA, "headroom"),
        "status unknown for quota: headroom, resources: requests.cpu",
    ),
    "scopes": (
        f"{POD}insufficient quota to match these scopes: [{{PriorityClass In [high]}}]",
        *(FailureKind.QUOTA, ""),
        "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
    ),
    "maximum": (
        f"{POD}maximum cpu usage per Container is 1, but limit is 2",
        *(FailureKind.LIMIT_RANGE, "", "maximum cpu usage per Container is 1, but limit is 2"),
    ),
    "older maximum": (
        f"{POD}Maximum cpu usage per Container is 1, but limit is 2.",
        *(FailureKind.LIMIT_RANGE, "", "Maximum cpu usage per Container is 1, but limit is 2."),
    ),
    "several": (
        f"{POD}[minimum memory usage per Container is 64Mi, but request is 1Mi, maximum cpu usage "
        "per Pod is 1, but limit is 2]",
        *(FailureKind.LIMIT_RANGE, ""),
        "[minimum memory usage per Container is 64Mi, but request is 1Mi, maximum cpu usage per "
        "Pod is 1, but limit is 2]",
    ),
    "ratio": (
        f"{POD}cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000",
        *(FailureKind.LIMIT_RANGE, ""),
        "cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000",
    ),
    "pod security": (
        f'{POD}violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)',
        *(FailureKind.POD_SECURITY, "restricted:latest"),
        'violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)',
    ),
    "OpenShift": (
        f"{POD}unable to validate against any security context constraint: [provider restricted]",
        *(FailureKind.POD_SECURITY, "security context constraint"),
        "unable to validate against any security context constraint: [provider restricted]",
    ),
    "older pod security": (
        f"{POD}PodSecurityPolicy: unable to admit pod: [spec.securityContext.hostNetwork: Invalid]",
        *(FailureKind.POD_SECURITY, "PodSecurityPolicy"),
        "PodSecurityPolicy: unable to admit pod: [spec.securityContext.hostNetwork: Invalid]",
    ),
    "webhook": (
        'Error creating: admission webhook "validate.kyverno.svc-fail" denied the request: pods '
        '"x" is forbidden: exceeded quota: lies',
        *(FailureKind.WEBHOOK, "validate.kyverno.svc-fail"),
        'admission webhook "validate.kyverno.svc-fail" denied the request: pods "x" is forbidden: '
        "exceeded quota: lies",
    ),
    "webhook that changes": (
        'Error creating: admission webhook "mutate.example.com" attempted to modify the object, '
        "which is not supported for this operation",
        *(FailureKind.WEBHOOK, "mutate.example.com"),
        'admission webhook "mutate.example.com" attempted to modify the object',
    ),
    "webhook away": (
        'Error creating: Internal error occurred: failed calling webhook "deny.example.com": failed'
        ' to call webhook: Post "https://127.0.0.1:1/x?timeout=10s": connection refused',
        *(FailureKind.WEBHOOK, "deny.example.com"),
        'Internal error occurred: failed calling webhook "deny.example.com": failed to call '
        'webhook: Post "https://127.0.0.1:1/x?timeout=10s": connection refused',
    ),
    "policy": (
        f"{POD}ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest' denied request: ask "
        "platform-sec",
        *(FailureKind.ADMISSION_POLICY, "no-latest"),
        "ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest' denied request: ask "
        "platform-sec",
    ),
    "account": (
        'Error creating: pods "report-" is forbidden: error looking up service account '
        'acme/nobody: serviceaccount "nobody" not found',
        *(FailureKind.SERVICE_ACCOUNT, "nobody"),
        'error looking up service account acme/nobody: serviceaccount "nobody" not found',
    ),
    "account of an older release": (
        f"{POD}service account acme/nobody was not found, retry after the service account is "
        "created",
        *(FailureKind.SERVICE_ACCOUNT, "nobody"),
        "service account acme/nobody was not found",
    ),
    "account without a token": (
        f'{POD}no API token found for service account "default", retry after the token is '
        "automatically created and added to the service account",
        *(FailureKind.SERVICE_ACCOUNT, "default"),
        'no API token found for service account "default"',
    ),
    "priority": (
        f"{POD}no PriorityClass with name nope was found",
        *(FailureKind.REFUSED, "", "no PriorityClass with name nope was found"),
    ),
    "invalid": (
        'Error creating: Pod "x" is invalid: spec.containers[0].image: Required value',
        *(FailureKind.INVALID, "", "spec.containers[0].image: Required value"),
    ),
    "busy": (
        'Error creating: Operation cannot be fulfilled on resourcequotas "headroom": the object '
        "has been modified; please apply your changes to the latest version and try again",
        *(FailureKind.OTHER, "", "Operation cannot be fulfilled on resourcequotas"),
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_each_refuser_has_a_kind_of_its_own(name: str) -> None:
    message, kind, by, words = MESSAGES[name]
    refusal = refusal_in(message)
    assert (refusal.kind, refusal.by) == (kind, by)
    assert refusal.words.startswith(words)


@pytest.mark.parametrize(
    "words",
    [
        "Internal error occurred: rpc error: code = Unavailable desc = transport is closing",
        "dial tcp 10.0.0.1:443: connect: connection refused",
        "dial tcp 10.0.0.1:443: connect: permission denied",
        "http2: client connection lost",
        "context canceled",
        "too many requests",
        "Too many requests, please try again later",
        "storage is (re)initializing",
        'pods "j-0-abcde" already exists',
        'object is being deleted: pods "j-0-x" already exists',
        'namespaces "acme" not found',
        "Unauthorized",
        'rpc error: code = PermissionDenied desc = the key is forbidden and "denied the request"',
        'Internal error occurred: admission plugin "x" failed to complete validation in 13s',
        f"{POD}not yet ready to handle request",
        f'{ACCOUNT}Get "https://[::1]:6443/api/v1/namespaces/acme/serviceaccounts/worker": context '
        "deadline exceeded",
        f"{ACCOUNT}etcdserver: request timed out",
        f"{ACCOUNT}the server was unable to return a response in the time allotted, but may still "
        "be processing the request (get serviceaccounts worker)",
        f'{ACCOUNT}Get "https://api/x": dial tcp: lookup api: host not found',
        "",
        "a word of a release to come",
    ],
)
def test_nobody_refused_where_nobody_says_so(words: str) -> None:
    refusal = refusal_in(words if words.startswith("Error") else f"Error creating: {words}")
    assert (refusal.kind, refusal.by) == (FailureKind.OTHER, "")


@pytest.mark.parametrize(
    "words",
    [
        'pods is forbidden: User "system:controller" cannot create resource "pods" in API group ""',
        'serviceaccounts "system:x" is forbidden: not for you',
        "the gatekeeper denied the request: ask platform-sec",
        "Plugin 'a' denied request: no",
        f"{POD}something that only a later release says",
        'pods "a" is forbidden: unable to create new content in namespace acme because it is being '
        "terminated",
    ],
)
def test_who_says_that_it_refuses_does(words: str) -> None:
    message = words if words.startswith("Error") else f"Error creating: {words}"
    assert refusal_in(message).kind is FailureKind.REFUSED


def test_the_longest_message_is_read_at_once() -> None:
    for part in ('"', 'a"', '"a" ', "is forbidde", "a"):
        assert refusal_in(part * 4000).kind is FailureKind.OTHER


@pytest.mark.parametrize("message", ["", "exit code 3", "Unschedulable: 0/3 nodes", "x" * 9000])
def test_other_messages_quote_no_refusal(message: str) -> None:
    assert refusal_within(message) is None


def test_a_refusal_inside_a_longer_message_is_read_there() -> None:
    refusal = refusal_within(f"task 'a' errored: {MESSAGES['maximum'][0]}")
    assert refusal is not None
    assert (refusal.kind, refusal.words) == (FailureKind.LIMIT_RANGE, MESSAGES["maximum"][3])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (f"task 'a' errored: {MESSAGES['invalid'][0]}", FailureKind.INVALID),
        (
            'Waiting for a PVC to be created. persistentvolumeclaims "wf-w" is forbidden: exceeded '
            "quota: q, requested: requests.storage=5Gi, used: requests.storage=0, limited: "
            "requests.storage=1Gi",
            FailureKind.QUOTA,
        ),
        (
            'persistentvolumeclaims "wf-work" is forbidden: maximum storage usage per '
            "PersistentVolumeClaim is 1Gi, but request is 5Gi",
            FailureKind.LIMIT_RANGE,
        ),
        ('persistentvolumeclaims "w" is forbidden: ask platform-sec', FailureKind.REFUSED),
    ],
)
def test_an_invalid_pod_and_a_refused_volume_claim_are_read_too(
    message: str, kind: FailureKind
) -> None:
    refusal = refusal_within(message)
    assert refusal is not None
    assert refusal.kind is kind
