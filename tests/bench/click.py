"""One change from the click on Apply to the value in the API server, through everything.

A real web server, broker and worker. The clock starts when the form is sent over HTTP and stops
when a watch of the ResourceQuota shows the value (`enforced`), and again when the API server's own
quota controller has taken it into the status that admission reads (`admitted`): that part is
Kubernetes' and the same for whoever writes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from console.access.models import User
from console.audit.services import Actor
from console.clients import pool
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.services import proposals
from quotas.enforcement.reconcile.probe import probe
from tests.bench import programs, sample_rows
from tests.bench.browser import Browser, session_of
from tests.bench.figures import Figure, less_is_better, percentile, progress
from tests.bench.kubernetes import settle
from tests.servers import KubeControlPlane, kube_control_plane, valkey

TENANTS: Final = int(os.environ.get("BENCH_CLICK_TENANTS", "200"))
CHANGES: Final = int(os.environ.get("BENCH_CLICK_CHANGES", "40"))
WARM: Final = 3
SLUG: Final = "c-0007"
PATIENCE: Final = 30.0


def run(home: Path) -> list[Figure]:
    """Percentiles over the changes, in milliseconds."""
    with kube_control_plane() as plane, valkey() as broker:
        target = sample_rows.target(
            "lab", "kubernetes", credential=f"kubeconfig:{plane.kubeconfig}"
        )
        slugs = [f"c-{index:04d}" for index in range(TENANTS)]
        people = sample_rows.settle_in(target, sample_rows.plan(), slugs)
        sample_rows.order(people)
        sample_rows.carry_out(people)
        probe(target.pk)
        settle(plane)
        env = {"CELERY_BROKER_URL": broker.url}
        with (
            programs.web(home, **env) as web,
            programs.worker(home, **env),
            watched(plane) as watch,
        ):
            taken = _click(Browser(web.port, session_of()), watch)
        pool.close_all()
    note = f"{len(taken)} changes, {TENANTS} tenants on the target"
    enforced = percentile([first for first, _, _ in taken], 0.95)
    return [
        less_is_better("click", "enforced_p95", enforced, "ms", "the promise", 1000.0, note)
    ] + [
        Figure("click", f"{name}_{label}", percentile(values, share), "ms", note=note)
        for name, values in (
            ("enforced", [first for first, _, _ in taken]),
            ("admitted", [second for _, second, _ in taken]),
            ("answered", [answered for _, _, answered in taken]),
        )
        for label, share in (("p95", 0.95), ("p50", 0.5))
        if (name, label) != ("enforced", "p95")
    ]


def _click(browser: Browser, watch: Watch) -> list[tuple[float, float, float]]:
    """Milliseconds to the value, to the status, and to the page's answer, of each change."""
    taken = []
    author = Actor.person(User.objects.get(username="bench"))
    for number in range(WARM + CHANGES):
        pods = 300 + number
        change = SetOverride((SLUG,), "pods", pods)
        proposal, preview = proposals.propose(change=change, actor=author)
        if preview is None:
            raise AssertionError("a preview of one tenant is computed at once")
        form = {"fingerprint": preview.fingerprint, "reason": "bench", "confirm": ""}
        begun = time.perf_counter()
        status, body = browser.post(f"/changes/{proposal.pk}/apply/", form)
        answered = time.perf_counter()
        if status != 302:
            raise AssertionError(f"apply answered {status}: {body[:2000].decode()}")
        spec, stored = watch.wait(str(pods))
        if number >= WARM:
            taken.append(
                ((spec - begun) * 1000, (stored - begun) * 1000, (answered - begun) * 1000)
            )
        time.sleep(0.3)
    progress(f"{CHANGES} changes clicked")
    return taken


class Watch:
    """When each value of one quota's `pods` was first seen: in its spec, and in its status."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}
        self._news = threading.Condition()

    def note(self, quota: dict[str, dict[str, dict[str, str]]]) -> None:
        """One event of the watch."""
        now = time.perf_counter()
        with self._news:
            for side in ("spec", "status"):
                value = quota.get(side, {}).get("hard", {}).get("pods", "")
                self._seen.setdefault((side, value), now)
            self._news.notify_all()

    def wait(self, value: str) -> tuple[float, float]:
        """When spec and status had the value. Raises AssertionError when they do not get it."""
        sides = [("spec", value), ("status", value)]
        with self._news:
            if not self._news.wait_for(lambda: all(s in self._seen for s in sides), PATIENCE):
                raise AssertionError(f"pods={value} was not enforced within {PATIENCE:.0f} s")
            return self._seen[sides[0]], self._seen[sides[1]]


@contextlib.contextmanager
def watched(plane: KubeControlPlane) -> Iterator[Watch]:
    """Watches the tenant's quota from a thread, as kubectl would."""
    watch, stop = Watch(), threading.Event()
    where = urlsplit(plane.url)
    context = ssl._create_unverified_context()  # noqa: S323 - a certificate of its own, loopback
    connection = http.client.HTTPSConnection(str(where.hostname), where.port, context=context)
    connection.request(
        "GET",
        f"/api/v1/namespaces/{SLUG}/resourcequotas?watch=1&fieldSelector=metadata.name%3Dheadroom",
        headers={"Authorization": f"Bearer {plane.token}"},
    )
    answer = connection.getresponse()
    socket = connection.sock

    def listen() -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while not stop.is_set() and (line := answer.readline()):
                watch.note(json.loads(line)["object"])

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        if socket is not None:
            with contextlib.suppress(OSError):
                socket.shutdown(2)
        thread.join(5)
        connection.close()
