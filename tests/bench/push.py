"""The first push of 500 tenants through the real loop, against kubectl and a bare PATCH loop.

Each round is a fresh control plane; in it everybody writes the same contents into namespaces of
their own, in an order that rotates from round to round.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from console.clients import pool
from quotas.plans.models import PlanVersion
from tests.bench import sample_rows
from tests.bench.figures import Figure, median, more_is_better, progress
from tests.bench.kubernetes import bare_patches, kubectl_apply, settle
from tests.servers import KubeControlPlane, kube_control_plane

TENANTS: Final = int(os.environ.get("BENCH_PUSH_TENANTS", "500"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))


def run(home: Path) -> list[Figure]:
    """Medians over the rounds, in objects per second."""
    version = sample_rows.plan()
    rates: dict[str, list[float]] = {"ours": [], "kubectl": [], "bare": []}
    for number in range(ROUNDS):
        with kube_control_plane() as plane:
            _round(number, plane, home, version, rates)
            pool.close_all()
    note = f"{TENANTS} tenants, {ROUNDS} rounds, medians"
    ours, bare, kubectl = (median(rates[name]) for name in ("ours", "bare", "kubectl"))
    return [
        more_is_better(
            *("push", "rate_vs_kubectl", ours, "objects/s"),
            "kubectl apply --server-side",
            kubectl,
            note,
        ),
        more_is_better(
            *("push", "rate_vs_bare_patch", ours, "objects/s"),
            "aiohttp, 16 connections",
            bare,
            note,
        ),
    ]


def _round(
    number: int,
    plane: KubeControlPlane,
    home: Path,
    version: PlanVersion,
    rates: dict[str, list[float]],
) -> None:
    target = sample_rows.target(
        f"round-{number}", "kubernetes", credential=f"kubeconfig:{plane.kubeconfig}"
    )
    slugs = [f"h{number}-{index:04d}" for index in range(TENANTS)]
    people = sample_rows.settle_in(target, version, slugs)
    manifests = sample_rows.manifests(people)

    def ours() -> float:
        sample_rows.order(people)
        begun = time.perf_counter()
        sample_rows.carry_out(people)
        return time.perf_counter() - begun

    def kubectl() -> float:
        return kubectl_apply(plane, home / "push.json", renamed(manifests, f"h{number}-", "k-"))

    def bare() -> float:
        return bare_patches(plane, renamed(manifests, f"h{number}-", "b-"))

    runs: list[tuple[str, Callable[[], float]]] = [
        ("ours", ours), ("kubectl", kubectl), ("bare", bare),
    ]  # fmt: skip
    for name, push in runs[number % 3 :] + runs[: number % 3]:
        seconds = push()
        rates[name].append(len(manifests) / seconds)
        progress(f"round {number + 1}, {name}: {len(manifests)} objects in {seconds:.1f} s")
        settle(plane)


def renamed(manifests: list[dict[str, Any]], old: str, new: str) -> list[dict[str, Any]]:
    """The same contents for tenants (and so namespaces) of other names."""
    content: list[dict[str, Any]] = json.loads(json.dumps(manifests).replace(f'"{old}', f'"{new}'))
    return content
