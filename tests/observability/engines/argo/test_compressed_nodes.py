"""Steps are read wherever the controller put them, and nothing that claims to be steps can hurt."""

from __future__ import annotations

import base64
import gzip
from datetime import UTC, datetime
from typing import Any

import brotli
import orjson
import pytest
import zstandard

from observability.engines.argo import compressed_nodes
from observability.engines.argo.compressed_nodes import nodes_of, unpack
from observability.engines.argo.runs import run_of
from observability.engines.argo.state import WorkflowSnapshot
from observability.engines.contracts import RunSnapshot
from tests.observability.engines.argo.recorded import node, nodes, workflow

NOW = datetime(2026, 11, 22, 10, 6, tzinfo=UTC)
STEPS = nodes(node("wf", "Steps"), node("work"))
PACKERS = {
    "gzip": gzip.compress,
    "zstandard": zstandard.compress,
    "brotli": brotli.compress,
}


def packed(sort: str, content: bytes) -> str:
    """As the controller writes it."""
    return base64.b64encode(PACKERS[sort](content)).decode()


def seen(manifest: dict[str, Any]) -> RunSnapshot:
    """The run of an object."""
    return run_of(WorkflowSnapshot(manifest), NOW)


@pytest.mark.parametrize("sort", PACKERS)
def test_packed_steps_are_read(sort: str) -> None:
    status = {"nodes": None, "compressedNodes": packed(sort, orjson.dumps(STEPS))}
    assert nodes_of(status).by_id == STEPS


def test_plain_steps_win_over_packed_ones() -> None:
    status = {"nodes": {"wf": node("wf")}, "compressedNodes": packed("gzip", orjson.dumps(STEPS))}
    assert set(nodes_of(status).by_id) == {"wf"}


def test_the_archived_record_has_the_steps_unpacked() -> None:
    content = packed("zstandard", orjson.dumps(STEPS))
    run = seen(workflow("Succeeded", compressedNodes=content))
    assert run.document is not None
    status = orjson.loads(run.document)["status"]
    assert set(status["nodes"]) == {"wf", "work"}
    assert "compressedNodes" not in status


@pytest.mark.parametrize("sort", PACKERS)
def test_what_unpacks_to_too_much_is_refused(sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed_nodes, "MOST_BYTES", 2**20)
    with pytest.raises(ValueError, match=r"more than 1 MiB|too much memory"):
        unpack(packed(sort, b"a" * 2**22))


@pytest.mark.parametrize("content", ["", "not base64 at all!", "AAAA", "H4sIAAAA", "KLUv/QAA"])
def test_what_cannot_be_unpacked_is_said_and_not_raised(content: str) -> None:
    run = seen(workflow("Failed", "child 'x' failed", compressedNodes=content))
    assert bool(run.attributes.get("steps_missing")) is bool(content)


def test_steps_in_the_controllers_database_are_not_loaded_rather_than_absent() -> None:
    run = seen(workflow("Succeeded", offloadNodeStatusVersion="fnv:123"))
    assert run.needs_history
    assert run.document is None
    assert "Steps not loaded" in [event.title for event in run.events]


HOSTILE: list[Any] = [
    None,
    [],
    "text",
    5,
    {"nodes": []},
    {"nodes": {"wf": "text", "x": {"children": "wf", "outputs": [], "startedAt": 5}}},
    {"nodes": {"wf": {"id": None, "type": "Pod", "children": [None, {}, "wf"], "phase": []}}},
    {"phase": "Failed", "message": ["a"], "finishedAt": "0001-01-01T00:00:00Z"},
    {"phase": "Running", "conditions": {"type": 1}, "progress": 7, "synchronization": "x"},
    {"phase": "Failed", "message": "Waiting for \0 lock" * 10_000, "startedAt": "yesterday"},
]


@pytest.mark.parametrize("status", HOSTILE)
def test_a_status_of_any_shape_is_read_without_harm(status: Any) -> None:
    manifest = workflow("Running")
    manifest["status"] = status
    run = seen(manifest)
    assert run.external_id == "wf"
    assert all(len(event.key) <= 160 and len(event.title) <= 200 for event in run.events)
    assert all("\0" not in event.message for event in run.events)


def test_a_hostile_name_stays_text_of_bounded_length() -> None:
    name = "<script>alert(1)</script>" * 1000
    steps = nodes(node("wf", "Steps"), node("work", displayName=name))
    run = seen(workflow("Succeeded", "", steps))
    assert all(len(event.step_name) <= 200 for event in run.events)
