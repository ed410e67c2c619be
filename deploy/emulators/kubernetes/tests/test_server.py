"""What the emulator has beyond the API: troubles on demand, counters, and a memory."""

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.emulators.kubernetes.server import Emulator
from tests.waiting import HANGS, PATIENCE, until


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


def call(
    emulator: Emulator, method: str, path: str, body: object = None, timeout: float = PATIENCE
) -> tuple[int, Any, dict[str, str]]:
    link = HTTPConnection("127.0.0.1", emulator.port, timeout=timeout)
    headers = {
        "Authorization": f"Bearer {emulator.token()}",
        "Content-Type": "application/apply-patch+yaml" if method == "PATCH" else "application/json",
    }
    try:
        link.request(method, path, None if body is None else json.dumps(body), headers)
        answer = link.getresponse()
        lines = [json.loads(line) for line in answer.read().splitlines()]
        return answer.status, lines[0] if lines else None, dict(answer.headers)
    finally:
        link.close()


def test_the_next_requests_fail_as_asked_and_then_work_again(emulator: Emulator) -> None:
    emulator.fail(next=2, status=429, retry_after=1)
    statuses = []
    for _ in range(3):
        status, _, headers = call(emulator, "GET", "/api/v1/namespaces")
        statuses.append((status, headers.get("Retry-After")))
    assert statuses == [(429, "1"), (429, "1"), (200, None)]


def test_only_the_named_verb_and_resource_fail(emulator: Emulator) -> None:
    emulator.fail(next=1, status=503, verb="list", resource="nodes")
    assert call(emulator, "GET", "/api/v1/namespaces")[0] == 200
    assert call(emulator, "GET", "/api/v1/nodes")[0] == 503
    assert call(emulator, "GET", "/api/v1/nodes")[0] == 200


def test_a_hanging_server_makes_clients_give_up(emulator: Emulator) -> None:
    emulator.hang(HANGS)
    with pytest.raises(TimeoutError):
        call(emulator, "GET", "/api/v1/namespaces", timeout=0.2)  # clock: it hangs
    emulator.hang(0)
    assert call(emulator, "GET", "/api/v1/namespaces")[0] == 200


def test_latency_is_added_to_every_answer(emulator: Emulator) -> None:
    emulator.latency(100)
    start = time.monotonic()
    call(emulator, "GET", "/api/v1/namespaces")
    assert time.monotonic() - start >= 0.1


def test_requests_are_counted_by_verb_and_resource(emulator: Emulator) -> None:
    call(emulator, "GET", "/api/v1/resourcequotas")
    call(emulator, "GET", "/api/v1/resourcequotas")
    call(emulator, "POST", "/api/v1/namespaces", {"metadata": {"name": "a"}})
    assert emulator.requests == {("list", "resourcequotas"): 2, ("create", "namespaces"): 1}


def test_a_stopped_server_comes_back_on_its_port_with_its_objects(emulator: Emulator) -> None:
    call(emulator, "POST", "/api/v1/namespaces", {"metadata": {"name": "kept"}})
    port = emulator.port
    emulator.stop()
    with pytest.raises(ConnectionRefusedError):
        call(emulator, "GET", "/api/v1/namespaces/kept")
    emulator.start()
    assert emulator.port == port
    assert call(emulator, "GET", "/api/v1/namespaces/kept")[0] == 200


def test_stopping_does_not_wait_for_watches(emulator: Emulator) -> None:
    link = HTTPConnection("127.0.0.1", emulator.port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {emulator.token()}"}
    link.request("GET", "/api/v1/namespaces?watch=1", headers=headers)
    link.getresponse().readline()
    start = time.monotonic()
    emulator.stop()
    assert time.monotonic() - start < PATIENCE  # the watch would last for half an hour
    link.close()


def test_old_watches_and_continue_tokens_expire(emulator: Emulator) -> None:
    page = call(emulator, "GET", "/api/v1/namespaces?limit=1")[1]
    call(emulator, "POST", "/api/v1/namespaces", {"metadata": {"name": "later"}})
    emulator.compact()
    token = page["metadata"]["continue"]
    status, answer, _ = call(emulator, "GET", f"/api/v1/namespaces?limit=1&continue={token}")
    assert (status, answer["reason"]) == (410, "Expired")
    path = "/api/v1/namespaces?watch=1&resourceVersion=1&timeoutSeconds=1"
    first = call(emulator, "GET", path)[1]
    assert (first["type"], first["object"]["code"]) == ("ERROR", 410)


def test_objects_and_tokens_outlive_the_process(tmp_path: Path) -> None:
    with Emulator(data_dir=tmp_path) as first:
        call(first, "POST", "/api/v1/namespaces", {"metadata": {"name": "kept"}})
        token = first.token()
    with Emulator(data_dir=tmp_path) as second:
        assert second.token() == token
        assert call(second, "GET", "/api/v1/namespaces/kept")[0] == 200
    assert stat.S_IMODE((tmp_path / "tokens.csv").stat().st_mode) == 0o600


def test_a_pod_waits_for_a_node_with_room() -> None:
    with Emulator(nodes={"small": {"cpu": "1", "memory": "1Gi", "pods": "10"}}) as emulator:
        container = {"name": "c", "image": "x", "resources": {"requests": {"cpu": "2"}}}
        body = {"metadata": {"name": "big"}, "spec": {"containers": [container]}}
        path = "/api/v1/namespaces/default/pods"
        assert call(emulator, "POST", path, body)[0] == 201
        conditions = until(
            lambda: call(emulator, "GET", f"{path}/big")[1]["status"].get("conditions", [])
        )
        assert conditions[0]["message"] == "0/1 nodes are available: 1 Insufficient cpu."


def test_it_runs_as_a_program_that_writes_a_kubeconfig(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    argv = [sys.executable, "-m", "deploy.emulators.kubernetes", "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("serving on http://127.0.0.1:")
        config = yaml.safe_load(kubeconfig.read_text())
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert config["current-context"] == "local"
    assert config["clusters"][0]["cluster"]["server"].startswith("http://127.0.0.1:")
