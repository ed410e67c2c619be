"""The emulated workflow controller: nonsense of one tenant holds up nobody."""

from __future__ import annotations

import pytest

from console.lenient_json import dumps, loads
from deploy.emulators.argo.tests.memory_cluster import Lab, Obj, pod_template
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants

OK = pod_template("ok")
OTHER = {"templates": [{"name": "main", "container": {"image": "job:1"}}], "entrypoint": "main"}


def add(lab: Lab, parts: Obj) -> None:
    """An object that somebody created by hand."""
    own = {"name": "odd", "namespace": "initech", "uid": "uid-odd"}
    lab.cluster.workflows["odd"] = {**parts, "metadata": own}


@pytest.mark.parametrize(
    "parts",
    [
        {"spec": {"entrypoint": "main", "templates": ["oops"]}},
        {"spec": {**OTHER, "synchronization": {"semaphores": ["headroom-limits"]}}},
        {
            "spec": OTHER,
            "status": {
                "phase": "Running",
                "synchronization": {"semaphore": {"holding": ["oops"]}},
                "nodes": {"a": "oops", "b": {"type": "Pod", "children": {"x": 1}}},
            },
        },
        {"spec": {**OTHER, "priority": "highest"}},
        {"spec": {"entrypoint": "main", "templates": [{"name": "main", "steps": [[{}], "x"]}]}},
        {"spec": None},
        {},
    ],
)
def test_a_malformed_workflow_holds_up_no_other(parts: Obj) -> None:
    lab = Lab(parallelism=1)
    add(lab, parts)
    lab.submit("good", OK)
    lab.restart()
    assert lab.finish("good")["phase"] == "Succeeded"


@pytest.mark.fuzz
def test_no_mutation_holds_up_another() -> None:
    whole = {"spec": {**OTHER, "ttlStrategy": {"secondsAfterCompletion": 5}}, "status": {}}
    for mutant in mutants([whole], fuzz_examples(100, 1_000)):
        lab = Lab()
        value = loads(dumps(mutant.value))  # as it comes over the wire
        add(lab, value if isinstance(value, dict) else {})
        lab.submit("good", OK)
        assert lab.finish("good")["phase"] == "Succeeded", str(mutant)
