"""Finding runs of the demo, which come and end as they like."""

from __future__ import annotations

import time
from urllib.parse import quote

from playwright.sync_api import Locator, Page

from tests.waiting import PATIENCE


def run_page(page: Page, query: str) -> str:
    """The path of the newest run that a search finds; waits until there is one."""
    return first_link(page, f"/jobs/?q={quote(query)}", query)


def first_link(page: Page, path: str, what: str) -> str:
    """Where the first row of a list leads; waits until there is one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        page.goto(path)
        link = page.locator("main table.rows a.row, main table.rows td a").first
        if link.count():
            return str(link.get_attribute("href"))
        assert time.monotonic() < deadline, f"nothing there: {what}"
        page.wait_for_timeout(1000)


def reload_until_there(page: Page, wanted: Locator) -> None:
    """Loads the page of a run again until something is on it: what happens, what a history adds
    and what other engines tell may all come after the run itself."""
    deadline = time.monotonic() + PATIENCE
    while not wanted.count():
        assert time.monotonic() < deadline, f"not on {page.url}: {wanted}"
        page.wait_for_timeout(1000)
        page.reload()
