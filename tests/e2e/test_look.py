"""Every page, light and dark, wide and narrow: accessible, without sideways scrolling."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.conftest import SCREENSHOTS, OpenPage
from tests.e2e.finding import first_link, run_page

PAGES = {
    "overview": "/",
    "tenants": "/tenants/",
    "tenants-filtered": "/tenants/?near=over",
    "tenants-none": "/tenants/?q=nobody-has-this-name",
    "tenant": "/tenants/globex/",
    "tenant-suspended": "/tenants/umbrella/",
    "tenant-drifted": "/tenants/hooli/",
    "tenant-new": "/tenants/new/",
    "tenant-edit": "/tenants/acme/edit/",
    "tenant-limits": "/tenants/acme/limits/",
    "tenant-limit": "/tenants/acme/limits/?key=requests.cpu",
    "tenant-suspend": "/tenants/acme/suspend/",
    "tenant-resume": "/tenants/umbrella/resume/",
    "tenant-place": "/tenants/acme/place/",
    "placement-drift": "/placements/1/drift/",
    "tenant-move": "/tenants/acme/move/",
    "tenant-offboard": "/tenants/soylent/offboard/",
    "plans": "/plans/",
    "plan": "/plans/standard/",
    "plan-edit": "/plans/standard/edit/",
    "plan-new": "/plans/new/",
    "plan-archive": "/plans/scale/archive/",
    "changes": "/changes/",
    "rollouts": "/rollouts/",
    "rollout": "/rollouts/1/",
    "targets": "/targets/",
    "target": "/targets/lab-k8s/",
    "target-temporal": "/targets/temporal-local/",
    "target-new": "/targets/new/",
    "target-edit": "/targets/lab-k8s/edit/",
    "drift": "/drift/",
    "search": "/search/?q=acme",
    "audit": "/audit/",
    "jobs-search": "/jobs/?q=status%3Afailed+engine%3Atemporal",
    "jobs-none": "/jobs/?q=%22nothing+says+this%22",
    "jobs-invalid": "/jobs/?q=status%3Asleepy",
    "jobs": "/jobs/",
    "actions": "/jobs/actions/",
    "batch-verbs": "/jobs/actions/batch/",
    "batch": "/jobs/actions/batch/?engine=temporal&verb=terminate",
    "replays": "/jobs/replays/",
    "replay-new": "/jobs/replays/new/",
    "bundles": "/jobs/bundles/",
    "bundle-new": "/jobs/bundles/new/",
    "target-argo": "/targets/demo-argo/",
    "target-celery": "/targets/demo-celery/",
    "target-argo-edit": "/targets/demo-argo/edit/",
    "target-celery-edit": "/targets/demo-celery/edit/",
    "target-temporal-edit": "/targets/temporal-local/edit/",
    "people": "/access/people/",
    "person-new": "/access/people/new/",
    "account": "/access/account/",
    "password": "/access/account/password/",
    "api": "/api/docs/",
    "missing": "/tenants/no-such-tenant/",
}
RUNS = {
    "run-temporal-failed": "engine:temporal status:failed",
    "run-temporal-retried": "type:ImportFlow status:succeeded",
    "run-temporal-open": "type:ApprovalFlow status:running",
    "run-temporal-family": "type:NightlyClose",
    "run-argo-failed": "engine:argo status:failed",
    "run-argo-waiting": "engine:argo status:waiting",
    "run-celery-failed": "engine:celery status:failed",
    "run-celery-ended": "type:reports.build status:succeeded",
    "run-kubernetes-refused": "engine:kubernetes status:timed_out",
    "run-kubernetes-failed": "engine:kubernetes status:failed",
}
"""Runs of the demo by how they are found."""
SIZES = {"wide": 1440, "narrow": 390}


@pytest.fixture(scope="module")
def axe() -> Axe:
    return Axe()


# The API's page holds Swagger UI, whose colours and labels are not ours to change.
NOT_OURS = {"exclude": [["#swagger-ui"]]}
# It brings a landmark of its own.
API_RULES = {"rules": {"landmark-no-duplicate-main": {"enabled": False}}}


def draft(page: Page) -> str:
    """A preview that nobody applies: its address."""
    page.goto("/tenants/initech/limits/?key=requests.cpu")
    page.get_by_label("New value").fill("1500m")
    page.get_by_role("button", name="Preview").click()
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    return urlsplit(page.url).path


def runs(page: Page) -> dict[str, str]:
    """The pages of some runs, of what can be done to an open one, and of a replay."""
    found = {name: run_page(page, query) for name, query in RUNS.items()}
    failed, waiting = found["run-temporal-failed"], found["run-temporal-open"]
    for verb in ("terminate", "cancel", "signal"):
        found[f"ask-{verb}"] = f"{waiting}actions/{verb}/"
    found["ask-reset"] = f"{failed}actions/reset/"
    found["replay"] = first_link(page, "/jobs/replays/", "Replays")
    return found


def settle(page: Page) -> None:
    """Waits until the panels of the page are loaded."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(400)


def problems_of(page: Page, axe: Axe, name: str, folder: Path) -> list[str]:
    """What is wrong with the page that is open; its picture is kept."""
    settle(page)
    page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
    rules = API_RULES if name == "api" else {}
    found = [
        f"{violation['id']}: {violation['nodes'][0]['html'][:160]}"
        for violation in axe.run(page, context=NOT_OURS, options=rules).response["violations"]
    ]
    sideways = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if sideways > 0:
        found.append(f"scrolls sideways by {sideways} px")
    return found


def walk(page: Page, axe: Axe, pages: dict[str, str], folder: Path) -> dict[str, list[str]]:
    """What is wrong with each of the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    problems: dict[str, list[str]] = {}
    for name, path in pages.items():
        answer = page.goto(path)
        assert answer is not None
        wanted = {"missing": 404, "jobs-invalid": 400}.get(name, 200)
        assert answer.status == wanted, (name, answer.status)
        if found := problems_of(page, axe, name, folder):
            problems[name] = found
    return problems


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_accessible_and_fits(
    size: str, theme: str, open_page: OpenPage, axe: Axe
) -> None:
    page = open_page("admin", width=SIZES[size], dark=theme == "dark")
    pages = {**PAGES, "preview": draft(page)}
    assert walk(page, axe, pages, SCREENSHOTS / f"{size}-{theme}") == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_about_a_run_is_accessible_and_fits(
    size: str, theme: str, open_page: OpenPage, axe: Axe
) -> None:
    page = open_page("admin", width=SIZES[size], dark=theme == "dark")
    folder = SCREENSHOTS / f"{size}-{theme}"
    problems = walk(page, axe, runs(page), folder)
    signal_many(page)
    if found := problems_of(page, axe, "batch-preview", folder):
        problems["batch-preview"] = found
    page.get_by_label("Reason").fill("The approvals of this batch are in")
    page.get_by_role("button", name=re.compile("^Signal")).click()
    page.wait_for_url(re.compile(r"/jobs/actions/\d+/$"))
    if found := problems_of(page, axe, "order", folder):
        problems["order"] = found
    assert problems == {}


def signal_many(page: Page) -> None:
    """A preview of a batch: what would be signalled."""
    page.goto("/jobs/actions/batch/?engine=temporal&verb=signal")
    page.get_by_label("Which runs").fill("type:ApprovalFlow status:running tenant:soylent")
    page.get_by_label(re.compile("^Signal")).first.fill("remind")
    page.get_by_role("button", name="Count").click()
    page.get_by_label("Reason").wait_for()


def test_the_rail_folds_to_icons_and_to_a_menu(open_page: OpenPage) -> None:
    page = open_page("admin", width=1000)
    rail = page.get_by_role("navigation", name="Main")
    assert rail.bounding_box()["width"] < 80  # type: ignore[index]  # it is on the page
    narrow = open_page("admin", width=390)
    assert not narrow.get_by_role("link", name="Tenants", exact=True).is_visible()
    narrow.get_by_role("button", name="Menu").click()
    narrow.get_by_role("link", name="Tenants", exact=True).click()
    narrow.wait_for_url("**/tenants/")


def test_the_theme_stays_chosen(open_page: OpenPage) -> None:
    page = open_page("admin")
    button = page.locator("#theme")
    button.click()
    chosen = page.locator("html").get_attribute("data-theme")
    assert chosen in {"light", "dark"}
    page.goto("/tenants/")
    assert page.locator("html").get_attribute("data-theme") == chosen
