"""Every page, light and dark, wide and narrow: accessible, without sideways scrolling."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.e2e.conftest import SCREENSHOTS, OpenPage
from tests.e2e.run_lookup import first_link, run_page

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
    "run-celery-failed": "engine:celery status:failed",
    "run-celery-ended": "type:reports.build status:succeeded",
    "run-kubernetes-refused": "engine:kubernetes status:timed_out",
    "run-kubernetes-failed": "engine:kubernetes status:failed",
}
"""Runs of the demo by how they are found."""
SIZES = {"wide": (1440, ("light", "dark")), "narrow": (390, ("dark", "light"))}
"""Widths, and the themes in which each is looked at: the page is loaded in the first of them and
follows the browser into the second, so every page is loaded in both."""


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
    pages = {name: run_page(page, query) for name, query in RUNS.items()}
    failed, waiting = pages["run-temporal-failed"], pages["run-temporal-open"]
    for verb in ("terminate", "cancel", "signal"):
        pages[f"ask-{verb}"] = f"{waiting}actions/{verb}/"
    pages["ask-reset"] = f"{failed}actions/reset/"
    pages["replay"] = first_link(page, "/jobs/replays/", "Replays")
    return pages


# Panels that load by themselves are there, and Swagger UI has drawn what it reads.
SETTLED = """() =>
  [...document.querySelectorAll("[hx-trigger*=load]")].every((panel) => panel.dataset.loaded)
  && !document.querySelector(".htmx-added, .htmx-swapping, .htmx-settling")
  && [...document.querySelectorAll("#swagger-ui")].every((docs) => docs.querySelector(".opblock"))
"""
# Only violations are handed over: describing all that is well took axe most of its time.
FAULTS = """([context, options]) => axe.run(context, options).then(({violations}) => violations.map(
  (fault) => `${fault.id}: ${fault.nodes[0].html.slice(0, 160)}`))
"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# A panel that is too narrow for its table hides the last column, which is the answer.
CUT_OFF = """() => [...document.querySelectorAll(".panel")]
  .filter((panel) => panel.scrollWidth > panel.clientWidth + 1)
  .map((panel) => panel.getAttribute("aria-labelledby") || panel.className)
"""
PAPER = "getComputedStyle(document.body).backgroundColor"


@dataclass(frozen=True)
class Looker:
    """Looks at the pages that a browser shows at one width, in each theme."""

    page: Page
    axe: Axe
    size: str
    problems: dict[str, list[str]] = field(default_factory=dict)

    @property
    def themes(self) -> tuple[str, ...]:
        """The first is the one in which pages are loaded."""
        return SIZES[self.size][1]

    def walk(self, pages: dict[str, str]) -> None:
        """Opens each of the pages and looks."""
        for name, path in pages.items():
            self._wear(self.themes[0])
            answer = self.page.goto(path)
            wanted = {"missing": 404, "jobs-invalid": 400}.get(name, 200)
            assert answer is not None
            assert answer.status == wanted, (self.size, name, answer.status)
            self.look(name)

    def look(self, name: str) -> None:
        """Notes what is wrong with the page that is open, by theme; its pictures are kept."""
        self._settle(name)
        self.page.evaluate(self.axe.axe_script)
        paper = ""
        for theme in self.themes:
            self._wear(theme)
            paper = self._paper_other_than(paper, f"{name}, {self.size}, {theme}")
            if faults := self._faults(name, theme):
                self.problems[f"{name}, {self.size}, {theme}"] = faults

    def _paper_other_than(self, paper: str, where: str) -> str:
        """The page's colour once it follows the theme: Swagger UI is told by an event."""
        try:
            self.page.wait_for_function(f"(before) => {PAPER} !== before", arg=paper)
        except PlaywrightTimeoutError as error:
            raise AssertionError(f"{where}: the page does not follow the theme") from error
        return str(self.page.evaluate(PAPER))

    def _wear(self, theme: str) -> None:
        self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")

    def _settle(self, name: str) -> None:
        try:
            self.page.wait_for_function(SETTLED)
        except PlaywrightTimeoutError as error:
            raise AssertionError(f"{name}, {self.size}: a part of it did not load") from error

    def _faults(self, name: str, theme: str) -> list[str]:
        folder = SCREENSHOTS / f"{self.size}-{theme}"
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
        options = {"resultTypes": ["violations"], **(API_RULES if name == "api" else {})}
        faults = [str(fault) for fault in self.page.evaluate(FAULTS, [NOT_OURS, options])]
        if self.size == "wide":  # on a phone a wide table scrolls inside its panel
            faults += [f"{panel} is cut off" for panel in self.page.evaluate(CUT_OFF)]
        if (sideways := self.page.evaluate(SIDEWAYS)) > 0:
            faults.append(f"scrolls sideways by {sideways} px")
        return faults


@pytest.fixture(params=SIZES)
def looker(request: pytest.FixtureRequest, open_page: OpenPage) -> Looker:
    """A browser of each width, signed in."""
    size = str(request.param)
    width, themes = SIZES[size]
    page = open_page("admin", width=width, dark=themes[0] == "dark")
    return Looker(page=page, axe=Axe(), size=size)


def test_every_page_is_accessible_and_fits_in_both_themes(looker: Looker) -> None:
    looker.walk({**PAGES, "preview": draft(looker.page)})
    assert looker.problems == {}


def test_every_page_about_a_run_is_accessible_and_fits_in_both_themes(
    looker: Looker, waiting_workflow: str
) -> None:
    page = looker.page
    looker.walk({**runs(page), "run-argo-waiting": run_page(page, waiting_workflow)})
    signal_many(page)
    looker.look("batch-preview")
    page.get_by_label("Reason").fill("The approvals of this batch are in")
    page.get_by_role("button", name=re.compile("^Signal")).click()
    page.wait_for_url(re.compile(r"/jobs/actions/\d+/$"))
    looker.look("action")
    assert looker.problems == {}


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
