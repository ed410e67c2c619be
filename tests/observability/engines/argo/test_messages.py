"""What a program said before it ended is no word of the controller's: its pod was admitted."""

from __future__ import annotations

import pytest

from observability.engines.argo.messages import failure_kind, wait_of
from observability.engines.contracts import EventKind, FailureKind

PROGRAMS = [
    "Error (exit code 1): upload to bucket exceeded quota: user-files",
    "Error (exit code 2): failed quota: abc: must specify region",
    'Error (exit code 1): admission webhook "x" denied the request: of the ConfigMap that the job '
    "applied",
    'Error (exit code 1): kubectl: pods "web-1" is forbidden: exceeded quota: team, requested: '
    "cpu=1, used: cpu=2, limited: cpu=2",
    "Error (exit code 1): the cache entry was evicted",
    "Error (exit code 1): helm: ImagePullBackOff",
    "Error (exit code 3): Stopped with strategy 'Terminate'",
    "failed with exit code 1: pod deleted by the operator",
]


@pytest.mark.parametrize("message", PROGRAMS)
def test_a_program_that_ran_was_refused_by_nobody(message: str) -> None:
    assert failure_kind(message, "Failed") is FailureKind.APPLICATION
    wait = wait_of(message)
    assert wait is None or wait.kind is EventKind.WAITING


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("OOMKilled (exit code 137): the heap is full", FailureKind.OUT_OF_MEMORY),
        ("main: OOMKilled (exit code 137)", FailureKind.OUT_OF_MEMORY),
        (
            'admission webhook "x" denied the request: the hook ended (exit code 3)',
            FailureKind.WEBHOOK,
        ),
        ("task 'a' errored: pods \"a\" is forbidden: failed quota: q: must specify cpu", "quota"),
        ("The node was low on resource: memory.", FailureKind.EVICTED),
    ],
)
def test_what_the_controller_says_itself_is_read(message: str, kind: FailureKind) -> None:
    assert failure_kind(message, "Failed") == kind


EVICTED, OTHER = FailureKind.EVICTED, FailureKind.OTHER
OF_KUBELETS = {
    'Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". ': EVICTED,
    "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ": EVICTED,
    'Container main exceeded its local ephemeral storage limit "1Gi". ': EVICTED,
    "The node had condition: [MemoryPressure]. ": EVICTED,
    "Pod The node had condition: [DiskPressure]. ": EVICTED,
    "Pod was rejected: The node had condition: [DiskPressure]. ": EVICTED,
    "Pod was terminated in response to imminent node shutdown.": EVICTED,
    "Pod was rejected as the node is shutting down.": EVICTED,
    "Node is shutting, evicting pods": EVICTED,
    "Pod Node is in progress of shutting down, not admitting any new pods": EVICTED,
    "Preempted in order to admit critical pod": EVICTED,
    "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000, used: 31000, "
    "capacity: 31850": OTHER,
    "Pod Node didn't have enough resource: cpu, requested: 1000, used: 31000, capacity: 31850": (
        OTHER
    ),
    "Pod was rejected: Predicate NodeAffinity failed": OTHER,
    "Pod Predicate NodeAffinity failed": OTHER,
    "Pod was rejected: Allocate failed due to can't allocate unregistered device nvidia.com/gpu, "
    "which is unexpected": OTHER,
    "Pod Allocate failed due to rpc error, which is unexpected": OTHER,
    "Pod Resources cannot be allocated with Topology locality": OTHER,
    "pod failed: neither main nor wait container completed successfully": OTHER,
    "can't find failed message for pod wf-a-1 namespace acme": OTHER,
}


@pytest.mark.parametrize("message", OF_KUBELETS)
def test_what_a_node_did_to_a_pod_is_no_error_of_the_job(message: str) -> None:
    assert failure_kind(message, "Failed") is OF_KUBELETS[message]


OF_CONTAINERS = {
    "main: ContainerStatusUnknown (exit code 137): The container could not be located when the pod "
    "was terminated": FailureKind.WORKER_LOST,
    'main: StartError (exit code 128): exec: "foo": executable file not found in $PATH': (
        FailureKind.INVALID
    ),
    "main: ContainerCannotRun (exit code 127): no such file or directory": FailureKind.INVALID,
    "main: Error (exit code 128): StartError": FailureKind.APPLICATION,
    "main: Error (exit code 137): ContainerStatusUnknown": FailureKind.APPLICATION,
}


@pytest.mark.parametrize("message", OF_CONTAINERS)
def test_a_container_that_was_lost_or_never_began_did_not_fail_by_itself(message: str) -> None:
    assert failure_kind(message, "Failed") is OF_CONTAINERS[message]


BEFORE = "Pod failed before main container starts due to "
NEVER_BEGAN = {
    f'{BEFORE}CreateContainerConfigError: secret "x" not found': FailureKind.INVALID,
    f"{BEFORE}CreateContainerError: no command specified": FailureKind.INVALID,
    f"{BEFORE}RunContainerError: context deadline exceeded": FailureKind.INVALID,
    f"{BEFORE}ErrImageNeverPull: not present": FailureKind.IMAGE,
    f"{BEFORE}PodInitializing: ": OTHER,
    'Pod "wf-x" is invalid: spec.containers[0].image: Required value': FailureKind.INVALID,
    "task 'wf.a' errored: Pod \"wf-a-1\" is invalid: spec.containers[0].image: Required value": (
        FailureKind.INVALID
    ),
    'persistentvolumeclaims "wf-work" is forbidden: maximum storage usage per '
    "PersistentVolumeClaim is 1Gi, but request is 5Gi": FailureKind.LIMIT_RANGE,
    'pvc create error: persistentvolumeclaims "wf-work" is forbidden: maximum storage usage per '
    "PersistentVolumeClaim is 1Gi, but request is 5Gi": FailureKind.LIMIT_RANGE,
    'pvc create error: PersistentVolumeClaim "wf-w" is invalid: spec.accessModes: Required value': (
        FailureKind.INVALID
    ),
}


@pytest.mark.parametrize("phase", ["Failed", "Error"])
@pytest.mark.parametrize("message", NEVER_BEGAN)
def test_a_step_that_never_began_says_why(message: str, phase: str) -> None:
    assert failure_kind(message, phase) is NEVER_BEGAN[message]


IMAGE = ("waits for its image", "image")
WAITS = {
    "ErrImagePull: not found": IMAGE,
    "ImagePullBackOff": IMAGE,
    'ErrImageNeverPull: Container image "a" is not present with pull policy of Never': IMAGE,
    "ImageInspectError: Failed to inspect image": IMAGE,
    "RegistryUnavailable: ": IMAGE,
    "SignatureValidationFailed: A signature was required, but no signature exists": IMAGE,
    'CreateContainerConfigError: secret "x" not found': (
        *("cannot start: CreateContainerConfigError", "container"),
    ),
    "CreateContainerError: no command": ("cannot start: CreateContainerError", "container"),
    "RunContainerError: oci": ("cannot start: RunContainerError", "container"),
    "PodInitializing": ("waits", "other"),
}


@pytest.mark.parametrize("message", WAITS)
def test_a_step_that_cannot_begin_says_what_it_waits_for(message: str) -> None:
    wait = wait_of(message)
    assert wait is not None
    assert (wait.kind, wait.title, wait.detail["for"]) == (EventKind.WAITING, *WAITS[message])
