"""What "done" means: by clicking alone, from a plan to an enforced limit, and back from drift."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo, OpenPage

ENFORCED_SECONDS = 120
HEALED_SECONDS = 180


def wait_for(read: Callable[[], str], wanted: str, seconds: float) -> None:
    """Waits until the plane says what is wanted; the message shows what it said last."""
    deadline = time.monotonic() + seconds
    text = read()
    while text != wanted and time.monotonic() < deadline:
        time.sleep(0.3)  # clock: between looks
        text = read()
    assert text == wanted


def set_limit(page: Page, key: str, value: str) -> None:
    """Types a value into the plan editor's row of this limit."""
    row = page.locator("[data-row]").filter(
        has=page.locator(f'input[name="limit-key"][value="{key}"]')
    )
    row.get_by_label("Value").fill(value)


def apply(page: Page, reason: str) -> None:
    """From the preview to the rollout page."""
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile(r"/rollouts/\d+/$"))


def test_a_plans_limit_is_changed_previewed_applied_and_enforced(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page("admin")
    page.get_by_role("link", name="Plans", exact=True).click()
    page.get_by_role("link", name="standard", exact=True).click()
    page.get_by_role("link", name="Change limits").click()
    set_limit(page, "requests.cpu", "5")
    page.get_by_role("button", name="Preview").click()
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    preview = page.get_by_role("main")
    expect(preview).to_contain_text("requests.cpu")
    expect(preview).to_contain_text("4 cores")
    expect(preview).to_contain_text("5 cores")
    assert demo.hard("acme", "requests.cpu") == "4"  # a preview writes nothing
    apply(page, "Customers of Standard get a fifth core")
    expect(page.get_by_role("main")).to_contain_text("Customers of Standard get a fifth core")
    wait_for(lambda: demo.hard("acme", "requests.cpu"), "5", ENFORCED_SECONDS)
    expect(page).to_have_title(re.compile("^100 %"), timeout=60_000)
    page.goto("/plans/standard/?from=1&to=2")
    expect(page.get_by_role("region", name="v1 beside v2")).to_contain_text("raised")
    page.goto("/tenants/acme/")
    expect(page.get_by_role("main")).to_contain_text("standard v2")


def test_an_edit_with_kubectl_is_found_shown_and_healed(demo: Demo, open_page: OpenPage) -> None:
    intended = demo.hard("stark", "pods")
    edited = demo.kubectl(
        *("patch", "resourcequota", "headroom", "-n", "stark", "--type=merge"),
        *("--field-manager=kubectl-edit", "-p", '{"spec":{"hard":{"pods":"999"}}}'),
        *("-o", "jsonpath={.spec.hard.pods}"),  # a look afterwards may come after the healing
    )
    assert edited == "999"
    wait_for(lambda: demo.hard("stark", "pods"), intended, HEALED_SECONDS)
    page = open_page("viewer")
    page.goto("/drift/?tenant=stark")
    drift = page.get_by_role("row").filter(has_text="kubectl-edit")
    expect(drift.first).to_contain_text("Healed")
    page.goto("/audit/?tenant=stark&action=drift.heal")
    expect(page.get_by_role("main")).to_contain_text("kubectl-edit")


def test_a_held_edit_is_shown_until_a_person_repairs_it(demo: Demo, open_page: OpenPage) -> None:
    page = open_page("operator")
    expect(page.get_by_role("main")).to_contain_text("hooli")
    page.goto("/tenants/hooli/")
    expect(page.get_by_role("main")).to_contain_text("kubectl-edit")
    page.get_by_role("link", name="Repair…").click()
    page.get_by_role("button", name="Preview").click()
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    expect(page.get_by_role("main")).to_contain_text("requests.cpu")
    apply(page, "Nobody agreed to twelve cores")
    wait_for(lambda: str(demo.hard("hooli", "requests.cpu") != "12"), "True", ENFORCED_SECONDS)


def test_suspending_stops_new_pods_and_resuming_lets_them_start(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page("operator")
    for step, pods in (("Suspend", "0"), ("Resume", "20")):
        page.goto("/tenants/soylent/")
        page.get_by_role("link", name=step).click()
        page.get_by_role("button", name="Preview").click()
        page.wait_for_url(re.compile(r"/changes/\d+/$"))
        apply(page, f"{step} it for the test")
        wait_for(lambda: demo.hard("soylent", "pods"), pods, ENFORCED_SECONDS)


def test_two_people_edit_a_plan_and_the_second_is_told(demo: Demo, open_page: OpenPage) -> None:
    first, second = open_page("admin"), open_page("admin")
    for page in (first, second):
        page.goto("/plans/scale/edit/")
    for page, pods in ((first, "210"), (second, "220")):
        set_limit(page, "pods", pods)
    first.get_by_role("button", name="Preview").click()
    first.wait_for_url(re.compile(r"/changes/\d+/$"))
    apply(first, "Ten more pods")
    wait_for(lambda: demo.hard("stark", "pods"), "210", ENFORCED_SECONDS)
    second.get_by_role("button", name="Preview").click()
    expect(second.get_by_role("main")).to_contain_text("v2")
    expect(second.locator('input[value="220"]')).to_be_visible()
    assert demo.hard("stark", "pods") == "210"


def test_a_preview_that_the_world_has_overtaken_is_refused(demo: Demo, open_page: OpenPage) -> None:
    page = open_page("admin")
    page.goto("/plans/starter/edit/")
    set_limit(page, "pods", "25")
    page.get_by_role("button", name="Preview").click()
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    page.get_by_label("Reason").fill("Five more pods")
    demo.kubectl("delete", "resourcequota", "headroom", "-n", "initech")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was written")
    expect(page.get_by_label("Reason")).to_have_value("Five more pods")


def test_a_tenant_is_on_boarded_and_off_boarded_without_scripts(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page("admin", scripts=False)
    page.goto("/tenants/new/")
    page.get_by_label("Short name").fill("tyrell")
    page.get_by_label("Plan").select_option("starter")
    page.get_by_label("Target").first.select_option("lab-k8s")
    page.get_by_role("button", name="Preview").click()
    apply(page, "New customer")
    wait_for(lambda: demo.hard("tyrell", "pods"), "20", ENFORCED_SECONDS)
    page.goto("/tenants/tyrell/")
    page.get_by_role("link", name="Off-board").click()
    page.get_by_label("Short name of the tenant").fill("tyrell")
    page.get_by_role("button", name="Preview").click()
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    expect(page.get_by_role("main")).to_contain_text("ResourceQuota")
    page.get_by_label(re.compile("^Type tyrell")).fill("tyrell")
    apply(page, "Contract ended")
    gone = ["get", "namespace", "tyrell", "--ignore-not-found", "-o", "name"]
    wait_for(lambda: demo.kubectl(*gone), "", HEALED_SECONDS)


def test_a_viewer_sees_no_buttons_and_is_refused_at_the_door(open_page: OpenPage) -> None:
    page = open_page("viewer")
    page.goto("/tenants/acme/")
    for name in ("Change limits", "Suspend", "Off-board"):
        expect(page.get_by_role("link", name=name)).to_have_count(0)
    answer = page.goto("/tenants/acme/offboard/")
    assert answer is not None
    assert answer.status == 403


def test_a_target_says_what_a_connection_test_found(open_page: OpenPage) -> None:
    page = open_page("operator")
    page.goto("/targets/lab-k8s/")
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#test-result")).to_contain_text("answers in")
