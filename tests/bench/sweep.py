"""A sweep of 2,000 tenants where nothing has changed, against `kubectl diff` of the same."""

from __future__ import annotations

import math
import os
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from console.clients import pool
from console.clients.contracts import RequestCounter
from quotas.enforcement.adapters.kubernetes.observe import PAGE
from quotas.enforcement.reconcile.planning import target_ref
from quotas.enforcement.reconcile.sweep import Swept, sweep
from tenants.adapters.kubernetes import client_for
from tests.bench import sample_rows
from tests.bench.figures import Figure, less_is_better, median, progress
from tests.bench.kubernetes import kubectl, requests, settle, write_list, writes
from tests.servers import KubeControlPlane, kube_control_plane

TENANTS: Final = int(os.environ.get("BENCH_SWEEP_TENANTS", "2000"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
PATIENCE: Final = float(os.environ.get("BENCH_KUBECTL_SECONDS", "900"))
"""After so many seconds `kubectl diff` of everything is given up, and samples are measured."""
LINEAR: Final = 0.15
"""So much may twice the tenants differ from twice the time for a sample to stand for the whole."""


def run(home: Path) -> list[Figure]:
    """Seconds of a sweep, its reads and its writes, as we and as the API server count them."""
    with kube_control_plane() as plane:
        target = sample_rows.target(
            "lab", "kubernetes", credential=f"kubeconfig:{plane.kubeconfig}"
        )
        slugs = [f"t-{index:04d}" for index in range(TENANTS)]
        people = sample_rows.settle_in(target, sample_rows.plan(), slugs)
        sample_rows.order(people)
        begun = time.perf_counter()
        sample_rows.carry_out(people)
        progress(f"{TENANTS} tenants pushed in {time.perf_counter() - begun:.1f} s")
        settle(plane, 300)
        _swept(target.pk)  # takes in what the quota controller has written meanwhile
        rounds = _measure(plane, people)
        pool.close_all()
        return _figures(rounds, *_kubectl_diff(plane, home, sample_rows.manifests(people)), people)


def _swept(target_id: int) -> Swept:
    swept = sweep(target_id, force=True)
    if swept is None or swept.placements != TENANTS or swept.due or swept.drifted:
        raise AssertionError(f"not a sweep without changes: {swept}")
    return swept


class _Rounds:
    """What the rounds took and cost."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.ours = RequestCounter()
        self.theirs: Counter[tuple[str, str]] = Counter()


def _measure(plane: KubeControlPlane, people: sample_rows.SampleRows) -> _Rounds:
    rounds = _Rounds()
    client = client_for(target_ref(people.target))
    counted, served = client.counter.copy(), requests(plane)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        swept = _swept(people.target.pk)
        rounds.seconds.append(time.perf_counter() - begun)
        progress(f"sweep: {rounds.seconds[-1]:.2f} s, {swept.reads} reads, {swept.changed} changed")
    rounds.ours = client.counter.since(counted)
    rounds.theirs = requests(plane) - served
    return rounds


def _kubectl_diff(
    plane: KubeControlPlane, home: Path, manifests: list[dict[str, Any]]
) -> tuple[float, str]:
    """Seconds for all of them, and how that was found."""
    try:
        return _diff(plane, home, manifests, PATIENCE), "all of them"
    except subprocess.TimeoutExpired:
        progress(f"kubectl diff did not end within {PATIENCE:.0f} s; measuring samples")
    samples = [TENANTS // 8, TENANTS // 4]
    seconds = [_diff(plane, home, _of_first(manifests, sample), 1800) for sample in samples]
    if abs(seconds[1] / seconds[0] / 2 - 1) > LINEAR:
        raise AssertionError(f"kubectl diff is not linear: {samples} tenants took {seconds} s")
    return seconds[1] * 4, f"scaled from {samples[1]}, twice of {samples[0]} was linear"


def _of_first(manifests: list[dict[str, Any]], tenants: int) -> list[dict[str, Any]]:
    last = f"t-{tenants:04d}"
    return [
        manifest
        for manifest in manifests
        if manifest["metadata"].get("namespace", manifest["metadata"]["name"]) < last
    ]


def _diff(
    plane: KubeControlPlane, home: Path, manifests: list[dict[str, Any]], timeout: float
) -> float:
    path = write_list(home / "diff.json", manifests)
    words = ("diff", "--server-side", "--field-manager=headroom-kubernetes", "-f", str(path))
    seconds, code, complaint = kubectl(plane, *words, timeout=timeout)
    if code:  # 1 would be a difference, and there is none
        raise AssertionError(f"kubectl diff ended with {code}: {complaint[-500:]}")
    progress(f"kubectl diff: {len(manifests)} objects in {seconds:.1f} s")
    return seconds


def _figures(
    rounds: _Rounds, peer: float, how: str, people: sample_rows.SampleRows
) -> list[Figure]:
    pages = math.ceil(TENANTS / PAGE)
    # Four kinds with one object per tenant, and one empty page of role bindings.
    needed = 4 * pages + 1
    note = f"{len(people.placements)} tenants, {ROUNDS} sweeps"
    reads = rounds.ours.reads / ROUNDS
    gets = sum(number for (verb, _), number in rounds.theirs.items() if verb in ("GET", "LIST"))
    return [
        less_is_better(
            *("sweep", "seconds_vs_kubectl_diff", median(rounds.seconds), "s"),
            "kubectl diff --server-side",
            peer,
            f"{note}; peer: {how}",
        ),
        less_is_better(
            *("sweep", "writes", rounds.ours.writes, "requests"), "none needed", 0, note
        ),
        less_is_better(
            *("sweep", "writes@apiserver", writes(rounds.theirs), "requests"),
            "none needed",
            0,
            "apiserver_request_total, our kinds",
        ),
        less_is_better(
            *("sweep", "reads", reads, "requests"), f"pages of {PAGE} needed", needed, "per sweep"
        ),
        Figure(
            *("sweep", "reads@apiserver", gets / ROUNDS, "requests"),
            note="per sweep, controllers' included",
        ),
    ]
