"""An on-call engineer's path: find a run, see what happened, act on it, replay it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.e2e.conftest import OpenPage
from tests.e2e.run_lookup import reload_until_there, run_page
from tests.waiting import until

SEEN_SECONDS = 120
ATTEMPTS = 5
"""So many runs are tried where one may end by itself at any moment, however long each try takes."""


def search(page: Page, text: str) -> None:
    """Types into the search box of the jobs."""
    page.get_by_role("searchbox", name="Search jobs").fill(text)
    page.get_by_role("main").get_by_role("button", name="Search").click()


def test_a_failed_run_is_found_by_its_error_and_tells_what_happened(open_page: OpenPage) -> None:
    page = open_page("operator")
    run_page(page, '"no postal address"')
    page.goto("/jobs/")
    search(page, '"no postal address"')
    rows = page.locator("table.jobs tbody tr")
    expect(rows.first).to_contain_text("NoAddress: no postal address for order")
    rows.first.get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/jobs/\d+/$"))
    main = page.get_by_role("main")
    expect(main.get_by_role("heading", name="LetterFlow")).to_be_visible()
    failed = page.locator("#run-events .event").filter(has_text="send_letter failed for good")
    reload_until_there(page, failed)  # it may still be tried again
    expect(page.locator("#run-now")).to_contain_text("NoAddress: no postal address for order")
    expect(page.locator("#run-plot svg")).to_be_visible()
    expect(failed).to_contain_text("attempt 3")
    failed.locator("summary").click()
    expect(failed.locator("details")).to_contain_text("send_letter")
    page.get_by_label("Kind").select_option(index=1)
    expect(page.locator("#run-events .event").first).to_be_visible()


def terminate_a_run(page: Page, reason: str) -> str:
    """Terminates the newest run that waits for an approval; its path. Empty where the approval came
    first, as it may at any moment: then somebody else's run has to do."""
    path = run_page(page, "type:ApprovalFlow status:running tenant:wayne")
    page.goto(path)
    name = page.locator(".run-id").inner_text().strip().splitlines()[0].strip()
    try:
        page.get_by_role("link", name="Terminate…").click()
        page.wait_for_url(re.compile("/actions/terminate/$"))
        page.get_by_label("Id of the run").fill(name)
        page.get_by_label("Reason").fill(reason)
        page.get_by_role("button", name="Terminate").click()
        page.wait_for_url(re.compile(r"/jobs/(actions/)?\d+/$"))
    except PlaywrightTimeoutError:
        return ""  # what cannot be done any more is not offered, or refused
    page.goto(path)
    expect(page.locator("#actions-panel")).to_contain_text(reason)
    state = page.locator("#run-now")
    expect(state).to_contain_text(re.compile("Terminated|Succeeded"), timeout=SEEN_SECONDS * 1000)
    return path if "Terminated" in state.inner_text() else ""


def test_a_running_workflow_is_terminated_and_everybody_sees_why(open_page: OpenPage) -> None:
    page = open_page("operator")
    reason = "Stuck since the deploy, INC-2041"
    attempts = (terminate_a_run(page, reason) for _ in range(ATTEMPTS))
    path = next(filter(None, attempts), "")
    assert path, f"{ATTEMPTS} runs were approved before they could be terminated"
    page.goto(path)
    expect(page.locator("#run-events")).to_contain_text(reason)
    page.goto("/audit/?q=INC-2041")
    expect(page.get_by_role("main")).to_contain_text(reason)


def test_a_run_is_replayed_and_the_verdict_comes_by_itself(open_page: OpenPage) -> None:
    page = open_page("operator")
    page.goto(run_page(page, "type:SampleBatch status:succeeded"))
    panel = page.locator(".run-replays")
    bundle = panel.get_by_label("Bundle")
    bundle.wait_for()
    bundle.select_option(label="batches@build-41")
    panel.get_by_role("button", name="Replay here").click()
    expect(page.get_by_role("main")).to_contain_text(
        re.compile("deterministic", re.I), timeout=SEEN_SECONDS * 1000
    )


def test_a_build_that_diverges_is_shown_beside_what_was_recorded(open_page: OpenPage) -> None:
    page = open_page("viewer")
    page.goto("/jobs/replays/")
    link = page.get_by_role("main").get_by_role("link", name=re.compile("build-42")).first
    expect(link).to_be_visible(timeout=SEEN_SECONDS * 1000)
    link.click()
    row = page.get_by_role("row").filter(has_text=re.compile("diverged", re.I)).first
    expect(row).to_contain_text("start a timer", timeout=SEEN_SECONDS * 1000)
    expect(row).to_contain_text("schedule activity crunch")


def test_a_history_is_downloaded_as_the_engine_writes_it(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("operator")
    page.goto(run_page(page, "type:InvoiceFlow status:succeeded"))
    with page.expect_download() as download:
        page.locator(".page-head").get_by_role("link", name="History").click()
    kept = tmp_path / "history.json"
    download.value.save_as(kept)
    events = json.loads(kept.read_text(encoding="utf-8"))["events"]
    assert events[0]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"
    assert events[-1]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"


def test_runs_of_four_engines_are_one_tree(open_page: OpenPage) -> None:
    page = open_page("viewer")
    page.goto(run_page(page, "type:NightlyClose status:succeeded"))
    tree = page.locator(".run-tree")
    for part in ("Temporal", "Kubernetes", "Argo Workflows", "Celery", "SampleBatch"):
        reload_until_there(page, tree.filter(has_text=part))
    tree.get_by_role("link", name="SampleBatch").click()
    expect(page.locator(".run-tree")).to_contain_text("NightlyClose")


def goes_to_the_jobs(page: Page) -> bool:
    """Types g and j. The page takes them for one shortcut if the second comes within 1.2 s, which a
    busy machine may not manage: then a person, too, types again."""
    page.keyboard.type("gj")
    with suppress(PlaywrightTimeoutError):
        page.wait_for_url("**/jobs/", timeout=15_000)
        return True
    return False


def test_the_jobs_are_walked_without_a_mouse(open_page: OpenPage) -> None:
    page = open_page("viewer")
    run_page(page, "status:failed")
    page.goto("/")
    until(lambda: goes_to_the_jobs(page))
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search jobs")).to_be_focused()
    page.keyboard.type("status:failed")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=status"))
    for key in "jjk":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/jobs/\d+/$"))


def test_a_viewer_looks_and_may_not_act(open_page: OpenPage) -> None:
    page = open_page("viewer")
    path = run_page(page, "type:ApprovalFlow status:running")
    page.goto(path)
    expect(page.locator("#actions-panel")).to_contain_text("Your role lets you look")
    expect(page.get_by_role("link", name="Terminate…")).to_have_count(0)
    answer = page.goto(f"{path}actions/terminate/")
    assert answer is not None
    assert answer.status == 403


def test_jobs_are_searched_and_read_without_scripts(open_page: OpenPage) -> None:
    page = open_page("viewer", scripts=False)
    page.goto("/jobs/")
    search(page, "engine:celery")
    page.locator("table.jobs a.row").first.click()
    expect(page.locator("#run-now")).to_contain_text("Celery")
    expect(page.locator("#run-events .event").first).to_be_visible()
