"""Quotas, limit ranges and held-back Jobs, over the emulator and a real control plane."""

import re

from tests.kubernetes_api import (
    Api,
    pod,
    quota,
)
from tests.waiting import until


def test_a_quota_counts_and_refuses(api: Api) -> None:
    quota(api, "q", {"requests.cpu": "1", "pods": "2"})
    assert api.post("pods", pod("a", {"cpu": "600m"}))[0] == 201
    status, answer = api.post("pods", pod("b", {"cpu": "600m"}))
    assert (status, answer["message"]) == (
        403,
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=600m, '
        "used: requests.cpu=600m, limited: requests.cpu=1",
    )
    used = {"pods": "1", "requests.cpu": "600m"}
    until(lambda: api.get("resourcequotas", "q")["status"]["used"] == used)


def test_a_quota_on_cpu_wants_it_named(api: Api) -> None:
    quota(api, "q", {"requests.cpu": "1", "limits.memory": "1Gi"})
    status, answer = api.post("pods", pod("a"))
    assert (status, answer["message"]) == (
        403,
        'pods "a" is forbidden: failed quota: q: must specify limits.memory for: c; '
        "requests.cpu for: c",
    )


def test_a_scoped_quota_charges_only_its_pods(api: Api) -> None:
    quota(api, "be", {"pods": "0"}, scopes=["BestEffort"])
    assert api.post("pods", pod("a", {"cpu": "1m"}))[0] == 201
    status, answer = api.post("pods", pod("b"))
    assert (status, answer["message"].split(": ", 2)[1]) == (403, "exceeded quota")


def test_a_limit_range_gives_defaults_and_refuses_the_rest(api: Api) -> None:
    item = {"type": "Container", "default": {"cpu": "1"}, "max": {"cpu": "2"}}
    status, answer = api.post(
        "limitranges", {"metadata": {"name": "l"}, "spec": {"limits": [item]}}
    )
    assert (status, answer["spec"]["limits"][0]["defaultRequest"]) == (201, {"cpu": "1"})
    admitted = until(lambda: api.post("pods", pod("a"), "?dryRun=All")[1])
    container = admitted["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}
    body = pod("b")
    body["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "3"}}
    status, answer = api.post("pods", body)
    assert (status, answer["message"]) == (
        403,
        'pods "b" is forbidden: maximum cpu usage per Container is 2, but limit is 3',
    )


def test_a_held_back_job_says_why_and_goes_on_later(api: Api) -> None:
    quota(api, "q", {"requests.cpu": "1"})
    template = {
        "metadata": {"annotations": {"headroom.dev/runs-for": "500ms"}},
        "spec": {**pod("", {"cpu": "1"})["spec"], "restartPolicy": "Never"},
    }
    spec = {"parallelism": 2, "completions": 2, "template": template}
    status, _ = api.post("jobs", {"metadata": {"name": "j"}, "spec": spec}, kind="Job")
    assert status == 201

    def denied() -> str:
        events = api.get("events")["items"]
        return next((event["message"] for event in events if event["reason"] == "FailedCreate"), "")

    assert re.fullmatch(
        r'Error creating: pods "j-[a-z0-9]{5}" is forbidden: exceeded quota: q, '
        r"requested: requests.cpu=1, used: requests.cpu=1, limited: requests.cpu=1",
        until(denied),
    )
    assert until(lambda: api.get("jobs", "j", kind="Job")["status"].get("completionTime"))
