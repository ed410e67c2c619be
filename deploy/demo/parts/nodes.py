"""Creates the simulated nodes that are missing. They must have their allocatable from the start:
nothing fills it in later, and a pod goes only where its requests fit.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request

CPU_NODES = 3
GPU_NODES = 1
CONFLICT = 409


def node(name: str, **capacity: str) -> dict[str, object]:
    """A node's manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "status": {"allocatable": capacity, "capacity": capacity},
    }


def nodes() -> list[dict[str, object]]:
    """Three nodes of 32 cores and 128 GiB, one with eight GPUs besides."""
    size = {"cpu": "32", "memory": "128Gi", "pods": "250", "ephemeral-storage": "500Gi"}
    plain = [node(f"node-{number}", **size) for number in range(1, CPU_NODES + 1)]
    gpus = {"nvidia.com/gpu": "8"}
    return plain + [node(f"gpu-{number}", **size, **gpus) for number in range(1, GPU_NODES + 1)]


def create(url: str, token: str, manifest: dict[str, object]) -> bool:
    """POST one node. False: it was there already."""
    request = urllib.request.Request(
        f"{url}/api/v1/nodes",
        data=json.dumps(manifest).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    context = ssl._create_unverified_context()  # noqa: S323 (loopback, its own certificate)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(request, timeout=10):
            return True
    except urllib.error.HTTPError as error:
        if error.code == CONFLICT:
            return False
        raise


def main() -> None:
    """Create the nodes and say how many were new."""
    url, token = os.environ["NODES_URL"], os.environ["NODES_TOKEN"]
    created = [create(url, token, manifest) for manifest in nodes()]
    sys.stdout.write(f"{sum(created)} of {len(created)} nodes created\n")


if __name__ == "__main__":
    main()
