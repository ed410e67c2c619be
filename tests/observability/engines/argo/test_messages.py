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
