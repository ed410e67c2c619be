"""Whatever somebody may have written into Jobs, pods and Events, they are read without harm, and
what is read can be stored. Recorded from a real cluster, then mutated."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from observability.engines.contracts import KnownRun
from observability.engines.kubernetes.reading import about, job_of, selector_of
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from observability.engines.unstructured import uid_of
from observability.ingest.event_rows import event_rows
from observability.ingest.rules.masking import Masker
from observability.ingest.rules.merge import merged, state_of
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants

pytestmark = pytest.mark.fuzz
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
MASKER = Masker(["password"])
KNOWN = {
    "count": 41,
    "first_at": "2026-11-30T06:07:16+00:00",
    "last_at": "2026-11-30T06:20:00+00:00",
    "words": "requests.cpu: asked 2, used 4 of 4",
    "reasons": [{"id": "1234abcd", "kind": "quota", "count": 41}],
}
CRASHED = {
    "name": "main",
    "restartCount": 7,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
    "lastState": {
        "terminated": {"exitCode": 2, "reason": "Error", "finishedAt": "2026-11-30T06:09:10Z"}
    },
}
PROXIED = [
    {
        "name": "main",
        "state": {"terminated": {"exitCode": 0, "finishedAt": "2026-11-30T06:09:10Z"}},
    },
    {"name": "istio-proxy", "state": {"running": {"startedAt": "2026-11-30T06:08:10Z"}}},
]

HELD_UP = {
    "phase": "Pending",
    "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}],
    "initContainerStatuses": [{**CRASHED, "name": "proxy", "started": False}],
}
SIDECAR = {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}


def recordings() -> list[dict[str, Any]]:
    """Jobs with their pods and Events, some with the look of one that crashes, is kept alive or is
    kept from starting."""
    recorded = orjson.loads((Path(__file__).parent / "recorded_jobs.json").read_bytes())
    known = {"failure": "exit code 2", "failure_kind": "quota", "attributes": {"denials": KNOWN}}
    plain = [{**one, "known": known} for one in recorded]
    others = []
    for one in (item for item in plain if item["pods"]):
        for statuses in ([CRASHED], PROXIED):
            pod = {**one["pods"][0], "status": {"phase": "Running", "containerStatuses": statuses}}
            others.append({**one, "pods": [pod]})
        others.append({**one, "pods": [{**one["pods"][0], "spec": SIDECAR, "status": HELD_UP}]})
    return plain + others


def objects(value: object) -> list[Any]:
    """What a client gives of a list: its objects."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def test_mutated_jobs_are_read_and_stored_without_harm() -> None:
    for mutant in mutants(recordings(), fuzz_examples()):
        value = mutant.value if isinstance(mutant.value, dict) else {}
        job, known = value.get("job"), value.get("known")
        if not isinstance(job, dict):
            continue
        known = known if isinstance(known, dict) else {}
        attributes = known.get("attributes")
        pods, warnings = objects(value.get("pods")), objects(value.get("warnings"))
        try:
            snapshot = JobSnapshot(
                job,
                pods,
                warnings,
                removed=frozenset(map(uid_of, pods[:1])),
                before="100.100.100 f",
                known=KnownRun(
                    3, "exit code 2", "quota", attributes if isinstance(attributes, dict) else {}
                ),
            )
            run = run_of(snapshot, NOW)
            state = state_of(run, masker=MASKER)
            assert merged(state, state) == state
            rows = list(event_rows(1, run.events, MASKER))
            assert all(len(row[2]) <= 160 and len(row[5]) <= 200 for row in rows)
            orjson.dumps([run.attributes, *(row[-1] for row in rows)])
            selector_of(job)
            assert all(isinstance(name, str) for item in pods for name in job_of(item))
            assert all(isinstance(name, str) for item in warnings for name in about(item))
        except Exception as error:
            raise AssertionError(str(mutant)) from error
