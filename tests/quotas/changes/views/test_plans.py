"""The plan editor: rows with and without JavaScript, errors at their rows, two editors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from console.audit.services import Actor
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal
from quotas.enforcement.models import Rollout
from quotas.plans.models import Plan, PlanVersion
from quotas.plans.services.plans import stored_terms
from tests.quotas.changes.apply_change import carry_out
from tests.quotas.changes.page_client import browser, field_value, said
from tests.quotas.conftest import LIMITS

EDIT = reverse("changes:plan_edit", args=["standard"])
NEW = reverse("changes:plan_new")
POLICY = {"pod_security": "baseline", "tenant_role": "edit", "network_isolated": "on"}


def rows(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"limit-key": [key for key, _ in pairs], "limit-value": [value for _, value in pairs]}


def exceptions(
    *, name: Any, direction: Any = "egress", peer: Any = "", ports: Any = ""
) -> dict[str, Any]:
    columns = {"name": name, "direction": direction, "peer": peer, "ports": ports}
    return {f"exception-{field}": value for field, value in columns.items()}


STANDARD = rows(
    ("requests.cpu", "40"), ("pods", "100"), ("container.default.cpu", "500m"),
    ("container.defaultRequest.cpu", "100m"), ("temporal.queue_rate", "20/s"),
)  # fmt: skip


def test_the_editor_shows_every_limit_as_people_write_it(dataset: SimpleNamespace) -> None:
    page = browser().get(EDIT)
    content = page.content.decode()
    for text in ('value="40 cores"', 'value="0.5 cores"', 'value="20/s"', 'value="100"'):
        assert text in content
    assert field_value(page, "base_version") == "1"
    assert "Sum of CPU requests of all unfinished pods" in said(page)
    assert '<option value="requests.nvidia.com/gpu"' in content


def test_a_version_is_edited_previewed_and_published(dataset: SimpleNamespace) -> None:
    admin = browser()
    form = {
        **STANDARD, **POLICY, "base_version": "1",
        **rows(("cpu", "30"), ("count/jobs.batch", "50"), ("requests.nvidia.com/gpu", "unlimited"),
               ("pods@PriorityClass=high", "0"), ("", "")),
        "exception-name": ["dns", ""], "exception-direction": ["egress", "egress"],
        "exception-peer": ["kube-system", ""], "exception-ports": ["UDP/53, TCP/53", ""],
    }  # fmt: skip
    proposed = admin.post(EDIT, form)
    assert proposed.status_code == 302, said(proposed)
    assert PlanVersion.objects.count() == 1
    page = admin.get(proposed["Location"])
    assert "standard v1 → v2" in said(page)
    sent = {"fingerprint": field_value(page, "fingerprint"), "reason": "less CPU"}
    admin.post(f"{proposed['Location']}apply/", sent)
    assert Rollout.objects.count() == 1
    terms = stored_terms(PlanVersion.objects.get(number=2))
    assert terms["limits"] == {
        "requests.cpu": "30", "count/jobs.batch": "50", "requests.nvidia.com/gpu": "unlimited",
        "pods@PriorityClass=high": "0",
    }  # fmt: skip
    (exception,) = terms["policy"]["network_exceptions"]
    assert (exception["namespace"], exception["ports"]) == (
        "kube-system",
        [["UDP", 53], ["TCP", 53]],
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (rows(("cpus", "4")), "'cpus' is not a limit; use a ResourceQuota name"),
        (rows(("pods", "many")), "pods: 'many' is not accepted"),
        (rows(("memory", "400m")), "400m is 0.4 bytes; did you mean 400Mi?"),
        (rows(("pods", "1Ki")), "nobody counts in powers of two; did you mean 1k?"),
        (rows(("pods", "")), "pods: say how much, or “unlimited”, or remove the row."),
        (rows(("", "4")), "Name the limit."),
        (rows(("cpu", "4"), ("requests.cpu", "5")), "requests.cpu is there a second time"),
        (rows(("temporal.weight", "0")), "temporal.weight: 0 is not accepted"),
        (
            rows(("container.min.cpu", "2"), ("container.max.cpu", "1")),
            "container.min.cpu (2) must not be above container.max.cpu (1).",
        ),
        (
            rows(("temporal.weight", "2"), ("temporal.tenant_rate", "5/s")),
            "both set the fairness weight",
        ),
        ({"tenant_role": "no role!"}, "policy.tenant_role: 'no role!' is not accepted"),
        ({"pod_security": "lax"}, "lax is not one of the available choices"),
        (
            exceptions(name="a", peer="10.0.0.0/99"),
            "use a network such as 10.0.0.0/8",
        ),
        (
            exceptions(name="a", peer="everything", ports="TCP/²"),
            "\"['TCP', '²']\" is not accepted; use a list of pairs such as [TCP, 443]",
        ),
        (
            exceptions(name="a", peer="everything", ports="TCP/" + "9" * 5000),
            "use a list of pairs such as [TCP, 443]",
        ),
        (
            exceptions(name="a", peer="10.0.0.5"),
            "one address is 10.0.0.1/32",
        ),
        (
            exceptions(name="a", ports="TCP/0"),
            "give exactly one of cidr, namespace and everything",
        ),
        (
            exceptions(name="a", peer="everything", ports="TCP/http"),
            "use a list of pairs such as [TCP, 443]",
        ),
        (
            exceptions(name=["a", "a"], direction=["egress"] * 2, peer=["b", "c"], ports=["", ""]),
            "give each exception a name of its own",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_at_its_row_and_nothing_is_lost(
    dataset: SimpleNamespace, wrong: dict[str, Any], message: str
) -> None:
    form = {**STANDARD, **POLICY, "base_version": "1", **wrong}
    response = browser().post(EDIT, form)
    assert response.status_code == 422
    assert message in said(response)
    for name, value in wrong.items():
        if name == "limit-value":
            assert all(f'value="{text}"' in response.content.decode() for text in value if text)
    assert Proposal.objects.count() == 0


def test_nothing_changed_is_said(dataset: SimpleNamespace) -> None:
    response = browser().post(EDIT, {**STANDARD, **POLICY, "base_version": "1"})
    assert response.status_code == 422
    assert "standard v1 says exactly this already." in said(response)


def test_rows_are_added_and_removed_without_javascript(dataset: SimpleNamespace) -> None:
    admin = browser()
    form = {**STANDARD, **POLICY, "base_version": "1"}
    more = admin.post(EDIT, {**form, "add": "limit"})
    assert more.status_code == 200
    assert more.content.count(b'name="limit-key"') == 6 + 1  # and the browser's own blank one
    less = admin.post(EDIT, {**form, "remove": "limit:1"}).content.decode()
    assert 'value="pods"' not in less.split("<datalist")[0]
    assert 'value="requests.cpu"' in less.split("<datalist")[0]
    exception = admin.post(EDIT, {**form, "add": "exception"})
    assert exception.content.count(b'name="exception-name"') == 1 + 1
    assert Proposal.objects.count() == 0


def test_surprises_are_warned_about_in_the_editor(dataset: SimpleNamespace) -> None:
    form = {**POLICY, "base_version": "1", **rows(("cpus", "1"))}
    assert "refuses pods that name no" not in said(browser().post(EDIT, form))
    form = {**POLICY, "base_version": "1", **rows(("requests.cpu", "40"))}
    response = browser().post(EDIT, {**form, "tenant_role": "no role!"})
    assert "requests.cpu refuses pods that name no request" in said(response)


def test_the_second_editor_is_told_who_was_faster_and_sees_both(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    admin = browser()
    carry_out(PublishPlan("standard", 1, {**LIMITS, "pods": 90, "requests.cpu": 35_000}), alice)
    mine = {**STANDARD, **POLICY, "base_version": "1"}
    mine["limit-value"] = ["30", "100", "500m", "100m", "20/s"]
    late = admin.post(EDIT, mine)
    text = said(late)
    assert late.status_code == 422
    assert "v2 was published while you were editing" in text
    assert "alice published v2" in text
    assert "“because”" in text
    assert "40 cores 35 cores 30 cores Conflict you both changed it" in text
    assert "100 90 100 Would undo theirs" in text
    assert 'value="30"' in late.content.decode()
    assert PlanVersion.objects.count() == 2
    assert field_value(late, "base_version") == "2"
    saved = admin.post(EDIT, {**mine, "base_version": "2"})
    assert saved.status_code == 302
    assert Proposal.objects.latest("pk").payload["base_version"] == 2


def test_a_draft_is_edited_again_on_top_of_what_came_meanwhile(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    admin = browser()
    mine = {**STANDARD, **POLICY, "base_version": "1"}
    mine["limit-value"] = ["30", "100", "500m", "100m", "20/s"]
    admin.post(EDIT, mine)
    draft = Proposal.objects.get()
    again = admin.get(EDIT, {"proposal": draft.pk})
    assert 'value="30 cores"' in again.content.decode()
    carry_out(PublishPlan("standard", 1, {**LIMITS, "pods": 90}), alice)
    overtaken = admin.get(EDIT, {"proposal": draft.pk})
    assert overtaken.status_code == 200
    assert "was published while you were editing" in said(overtaken)
    unknown = admin.get(EDIT, {"proposal": "999"})
    assert field_value(unknown, "base_version") == "2"


def test_a_new_plan_is_published_at_once_with_its_warnings(dataset: SimpleNamespace) -> None:
    admin = browser()
    form = {"slug": "bronze", "description": "Small", "reason": "third plan", **POLICY}
    made = admin.post(NEW, {**form, **rows(("requests.cpu", "4"))}, follow=True)
    text = said(made)
    assert "bronze v1 is published. No tenant has it yet." in text
    assert "requests.cpu refuses pods that name no request" in text
    plan = Plan.objects.get(slug="bronze")
    assert (plan.name, plan.description) == ("bronze", "Small")
    assert (Rollout.objects.count(), Proposal.objects.count()) == (0, 0)
    taken = admin.post(NEW, {**form, **rows(("requests.cpu", "4"))})
    assert taken.status_code == 422
    assert "bronze" in said(taken)


def test_a_new_plan_keeps_what_was_typed_while_rows_are_added(dataset: SimpleNamespace) -> None:
    admin = browser()
    form = {"slug": "bronze", "reason": "third plan", "add": "limit", **POLICY}
    page = admin.post(NEW, {**form, **rows(("requests.cpu", "4"))})
    assert page.status_code == 200
    assert 'value="bronze"' in page.content.decode()
    assert "third plan" in said(page)
    wrong = admin.post(NEW, {"slug": "Bronze", **rows(("pods", "x")), **POLICY})
    text = said(wrong)
    assert wrong.status_code == 422
    assert "Use 1 to 63 lower-case letters" in text
    assert "'x' is not accepted" in text


def test_a_plan_in_use_is_not_archived_and_an_empty_one_is(
    dataset: SimpleNamespace, gold: PlanVersion
) -> None:
    admin = browser()
    used = admin.post(
        reverse("changes:plan_archive", args=["standard"]),
        {"confirm": "standard", "reason": "old"},
    )
    assert used.status_code == 422
    assert "standard has 3 tenants; move them to another plan first." in said(used)
    path = reverse("changes:plan_archive", args=["gold"])
    assert "'silver' is not 'gold'" in said(
        admin.post(path, {"confirm": "silver", "reason": "old"})
    )
    assert admin.post(path, {"confirm": "gold", "reason": "nobody wants it"}).status_code == 302
    assert Plan.objects.get(slug="gold").archived_at is not None
    assert admin.get(reverse("changes:plan_edit", args=["gold"])).status_code == 404
