"""The emulated workflow controller: who may run, who holds what, and what a restart changes."""

from __future__ import annotations

from typing import Any

from deploy.emulators.argo import names
from deploy.emulators.argo.tests.memory_cluster import Lab, pod_template

OK = pod_template("ok")
KEY = ("acme", "headroom-limits", "gpu")
LOCK = "acme/ConfigMap/headroom-limits/gpu"
GPU = {"semaphores": [{"configMapKeyRef": {"name": "headroom-limits", "key": "gpu"}}]}


def phases(lab: Lab, *listed: str) -> list[str]:
    return [lab.status(name).get("phase", "") for name in listed]


def test_a_namespace_runs_as_many_as_its_label_says() -> None:
    lab = Lab(namespace_parallelism=1)
    lab.cluster.labels["acme"] = "2"
    for name in ("a", "b", "c"):
        lab.submit(name, OK)
    lab.submit("g1", OK, namespace="globex")
    lab.submit("g2", OK, namespace="globex")
    lab.round()
    assert phases(lab, "a", "b", "c", "g1", "g2") == [
        "Running", "Running", "Pending", "Running", "Pending",
    ]  # fmt: skip
    queued = lab.status("c")
    assert queued["message"] == names.POSTPONED
    assert "startedAt" not in queued
    assert lab.cluster.workflows["c"]["metadata"]["labels"][names.COMPLETED] == "false"
    lab.play()
    lab.round()
    assert phases(lab, "a", "c", "g2") == ["Succeeded", "Running", "Running"]


def test_a_limit_of_0_is_no_limit_and_what_is_no_number_says_nothing() -> None:
    lab = Lab(namespace_parallelism=1)
    lab.cluster.labels |= {"acme": "0", "globex": "abc"}
    for number in range(3):
        lab.submit(f"a{number}", OK)
        lab.submit(f"g{number}", OK, namespace="globex")
    lab.round()
    assert phases(lab, "a0", "a1", "a2") == ["Running"] * 3
    assert phases(lab, "g0", "g1", "g2") == ["Running", "Pending", "Pending"]


def test_a_lowered_limit_evicts_nobody() -> None:
    lab = Lab()
    lab.cluster.labels["acme"] = "2"
    for name in ("a", "b", "c"):
        lab.submit(name, OK)
    lab.round()
    lab.cluster.labels["acme"] = "1"
    lab.round()
    assert phases(lab, "a", "b", "c") == ["Running", "Running", "Pending"]
    lab.cluster.delete("Workflow", "acme", "a")
    lab.round()
    assert phases(lab, "b", "c") == ["Running", "Pending"]


def test_the_highest_priority_goes_first_and_then_the_oldest() -> None:
    lab = Lab()
    lab.cluster.labels["acme"] = "1"
    lab.submit("first", OK)
    lab.round(1)
    lab.submit("old", OK)
    lab.round(1)
    lab.submit("urgent", OK, priority=5)
    lab.round(1)
    lab.play()
    lab.round()
    assert phases(lab, "first", "old", "urgent") == ["Succeeded", "Pending", "Running"]


def test_a_terminated_workflow_leaves_the_queue_and_a_stopped_one_waits_on() -> None:
    lab = Lab()
    lab.cluster.labels["acme"] = "1"
    for name in ("a", "ended", "stopped"):
        lab.submit(name, OK)
    lab.round()
    lab.edit("ended", shutdown="Terminate")
    lab.edit("stopped", shutdown="Stop")
    lab.round()
    assert phases(lab, "ended", "stopped") == ["Failed", "Pending"]
    assert lab.status("ended")["startedAt"]


def test_a_workflow_that_waits_for_a_lock_keeps_its_slot() -> None:
    lab = Lab()
    lab.cluster.labels["acme"] = "2"
    lab.cluster.config[KEY] = "1"
    lab.submit("a", OK, synchronization=GPU)
    lab.submit("b", OK, synchronization=GPU)
    lab.submit("c", OK)
    lab.round()
    assert phases(lab, "a", "b", "c") == ["Running", "Pending", "Pending"]
    assert lab.status("b")["message"] == f"Waiting for {LOCK} lock. Lock status: 0/1"
    assert lab.status("c")["message"] == names.POSTPONED
    held = lab.status("a")["synchronization"]["semaphore"]["holding"]
    assert held == [{"semaphore": LOCK, "holders": ["acme/a"]}]
    waits = lab.status("b")["synchronization"]["semaphore"]["waiting"]
    assert waits == [{"semaphore": LOCK, "holders": ["acme/a"]}]
    lab.play()
    lab.round()
    assert phases(lab, "a", "b", "c") == ["Succeeded", "Running", "Running"]
    assert "synchronization" not in lab.status("a")
    assert "message" not in lab.status("b")


def test_a_lock_that_was_lowered_says_how_many_hold_too_much() -> None:
    lab = Lab()
    lab.cluster.config[KEY] = "2"
    for name in ("a", "b", "c"):
        lab.submit(name, OK, synchronization=GPU)
    lab.round()
    lab.cluster.config[KEY] = "1"
    lab.round()
    assert lab.status("c")["message"] == f"Waiting for {LOCK} lock. Lock status: -1/1"
    lab.cluster.config[KEY] = "0"
    lab.round()
    assert phases(lab, "a", "b", "c") == ["Running", "Running", "Pending"]


def test_a_lock_without_a_key_fails_whoever_names_it() -> None:
    lab = Lab()
    lab.submit("a", OK, synchronization=GPU)
    lab.submit("s", {**OK, "synchronization": GPU})
    lab.round()
    for name in ("a", "s"):
        message = lab.status(name)["message"]
        assert message.startswith("Failed to acquire the synchronization lock. ")
    assert phases(lab, "a", "s") == ["Failed", "Error"]


def test_a_step_waits_for_its_mutex_while_its_workflow_runs() -> None:
    lab = Lab()
    alone: dict[str, Any] = {**OK, "synchronization": {"mutexes": [{"name": "one"}]}}
    lab.submit("a", alone)
    lab.submit("b", alone)
    lab.round()
    assert phases(lab, "a", "b") == ["Running", "Running"]
    node = lab.status("b")["nodes"]["b"]
    assert node["phase"] == "Pending"
    assert node["message"] == "Waiting for acme/Mutex/one lock. Lock status: 0/1"
    assert node["synchronizationStatus"] == {"waiting": "acme/Mutex/one"}
    held = lab.status("a")["synchronization"]["mutex"]["holding"]
    assert held == [{"mutex": "acme/Mutex/one", "holder": "acme/a/a"}]
    assert list(lab.cluster.pods_there) == ["a"]
    lab.play()
    lab.round()
    assert lab.nodes("b")["b"] == ("Pod", "Pending", "")
    assert lab.finish("b")["phase"] == "Succeeded"


def test_a_deleted_workflow_frees_slot_and_lock() -> None:
    lab = Lab()
    lab.cluster.config[KEY] = "1"
    lab.cluster.labels["acme"] = "2"
    for name in ("a", "b", "c"):
        lab.submit(name, OK, synchronization=GPU)
    lab.round()
    lab.cluster.delete("Workflow", "acme", "a")
    lab.round()
    assert phases(lab, "b", "c") == ["Running", "Pending"]


def test_a_restart_knows_from_the_objects_who_runs_and_who_holds() -> None:
    lab = Lab()
    lab.cluster.config[KEY] = "1"
    lab.cluster.labels["acme"] = "1"
    lab.submit("a", OK, synchronization=GPU)
    lab.submit("b", OK, synchronization=GPU)
    lab.round()
    lab.restart()
    lab.round()
    assert phases(lab, "a", "b") == ["Running", "Pending"]
    assert len(lab.cluster.pods_there) == 1
    lab.cluster.labels["acme"] = "2"
    lab.round()
    assert "Waiting for" in lab.status("b")["message"]
    assert lab.finish("b")["phase"] == "Succeeded"


def test_a_write_that_lost_a_race_is_made_again() -> None:
    lab = Lab()
    lab.submit("a", OK)
    lab.cluster.is_raced = True
    lab.round()
    assert phases(lab, "a") == [""]
    lab.round()
    assert phases(lab, "a") == ["Running"]
    assert len(lab.cluster.pods_there) == 1
    assert lab.finish("a")["phase"] == "Succeeded"


def test_a_finished_workflow_goes_when_its_time_is_over() -> None:
    lab = Lab()
    strategy = {"secondsAfterCompletion": 60, "secondsAfterFailure": 5}
    lab.submit("good", OK, ttlStrategy=strategy)
    bad = pod_template("bad", metadata={"annotations": {"headroom.dev/ends": "error"}})
    lab.submit("bad", bad, ttlStrategy=strategy)
    lab.submit("kept", OK)
    lab.round()
    lab.play()
    lab.round(40)
    assert sorted(lab.cluster.workflows) == ["good", "kept"]
    lab.round(60)
    assert sorted(lab.cluster.workflows) == ["kept"]


def test_nothing_is_written_where_nothing_has_changed() -> None:
    lab = Lab()
    lab.submit("a", OK)
    lab.round()
    lab.round()
    assert lab.controller.round(lab.now) == 0
