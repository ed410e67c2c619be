"""The peers on a real control plane: kubectl, a bare loop of PATCH requests, and its metrics."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from console.clients.kubernetes.kinds import resource_name_of
from quotas.enforcement.adapters.kubernetes.names import FIELD_MANAGER
from tests.servers import KubeControlPlane

CONNECTIONS: Final = 16
OURS: Final = frozenset(
    {"namespaces", "resourcequotas", "limitranges", "networkpolicies", "rolebindings"}
)
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE"})
_COUNT: Final = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<number>\S+)$", re.M)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


def kubectl(plane: KubeControlPlane, *words: str, timeout: float) -> tuple[float, int, str]:
    """Seconds that the command took, its exit code, and what it complained about."""
    program = Path(sys.executable).with_name("kubectl")
    begun = time.perf_counter()
    done = subprocess.run(
        [str(program), f"--kubeconfig={plane.kubeconfig}", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(plane.kubeconfig.parent)},
        timeout=timeout,
        check=False,
        text=True,
    )
    return time.perf_counter() - begun, done.returncode, done.stderr


def write_list(path: Path, manifests: Sequence[dict[str, Any]]) -> Path:
    """One file for kubectl: parents before what is inside them."""
    ordered = sorted(manifests, key=lambda manifest: manifest["kind"] != "Namespace")
    content = {"apiVersion": "v1", "kind": "List", "items": ordered}
    path.write_bytes(orjson.dumps(content))
    return path


def kubectl_apply(
    plane: KubeControlPlane, path: Path, manifests: Sequence[dict[str, Any]]
) -> float:
    """Seconds of `kubectl apply --server-side` of all of them."""
    write_list(path, manifests)
    seconds, code, complaint = kubectl(
        plane,
        *("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "-f", str(path)),
        timeout=900,
    )
    if code:
        raise AssertionError(f"kubectl apply failed: {complaint[-500:]}")
    return seconds


def bare_patches(plane: KubeControlPlane, manifests: Sequence[dict[str, Any]]) -> float:
    """Seconds of the same applies and nothing else: no rows, no diff, no retries, no results."""
    return asyncio.run(_bare_patches(plane, manifests))


async def _bare_patches(plane: KubeControlPlane, manifests: Sequence[dict[str, Any]]) -> float:
    calls = [
        (manifest["kind"] == "Namespace", resource_name_of(manifest).path, orjson.dumps(manifest))
        for manifest in manifests
    ]
    headers = {
        "Authorization": f"Bearer {plane.token}",
        "Content-Type": "application/apply-patch+yaml",
    }
    # Headroom's own sessions are on loopback as well; a proxy in the environment is not for these.
    async with aiohttp.ClientSession(
        plane.url, connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=False), headers=headers
    ) as session:
        begun = time.perf_counter()
        for first in (True, False):  # namespaces before what is inside them
            paths = iter([(path, body) for is_first, path, body in calls if is_first is first])

            async def work(rest: Any = paths) -> None:
                for path, body in rest:
                    query = f"{path}?fieldManager={FIELD_MANAGER}&force=false"
                    async with session.patch(query, data=body) as answer:
                        content = await answer.read()
                        if answer.status >= 300:
                            raise AssertionError(f"{answer.status}: {content[:300]!r}")

            await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return time.perf_counter() - begun


def requests(plane: KubeControlPlane, *, answered: str = "") -> Counter[tuple[str, str]]:
    """Requests that the API server has counted for our kinds, by verb and kind; subresources (the
    quota controller's status updates) left out. `answered` is how the status of those counted
    begins: "2" leaves out what was refused, and what a killed client never saw through."""
    content = get(plane, "/metrics").decode()
    counts: Counter[tuple[str, str]] = Counter()
    for sample in _COUNT.finditer(content):
        labels = dict(_LABEL.findall(sample["labels"]))
        ours = labels.get("resource") in OURS and not labels.get("subresource")
        if ours and labels.get("code", "").startswith(answered):
            counts[labels["verb"], labels["resource"]] += int(float(sample["number"]))
    return counts


def writes(counts: Counter[tuple[str, str]]) -> int:
    """How many of them change something."""
    return sum(number for (verb, _), number in counts.items() if verb in WRITES)


def get(plane: KubeControlPlane, path: str) -> bytes:
    """One answer, as the administrator."""
    import ssl

    context = ssl._create_unverified_context()  # noqa: S323 - a certificate of its own, loopback
    request = urllib.request.Request(
        plane.url + path, headers={"Authorization": f"Bearer {plane.token}"}
    )
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with urllib.request.build_opener(*handlers).open(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def quotas_ready(plane: KubeControlPlane) -> bool:
    """Whether the quota controller has seen every quota: what it still has to do slows others."""
    items = orjson.loads(get(plane, "/api/v1/resourcequotas"))["items"]
    return all((item.get("status") or {}).get("hard") for item in items)


def settle(plane: KubeControlPlane, seconds: float = 120.0) -> None:
    """Waits until the controllers have nothing left to do, within reason."""
    deadline = time.monotonic() + seconds
    while not quotas_ready(plane) and time.monotonic() < deadline:
        time.sleep(1)
    time.sleep(2)
