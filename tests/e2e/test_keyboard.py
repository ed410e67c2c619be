"""Everything without a mouse, and what can be done without scripts."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage


def test_keys_lead_to_every_section(open_page: OpenPage) -> None:
    page = open_page("viewer")
    for key, path in {"t": "/tenants/", "p": "/plans/", "r": "/rollouts/", "g": "/targets/",
                      "a": "/audit/", "o": "/"}.items():  # fmt: skip
        page.keyboard.type(f"g{key}")  # in one go: the second key must come within 1.2 s
        page.wait_for_url(path)


def test_rows_are_walked_with_j_and_k_and_opened_with_enter(open_page: OpenPage) -> None:
    page = open_page("viewer")
    page.goto("/tenants/")
    for key in "jjk":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/tenants/acme/")


def test_the_slash_searches_and_arrows_choose(open_page: OpenPage) -> None:
    page = open_page("viewer")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.insert_text("initech")  # at once, so that no later answer takes the focus away
    page.locator("#search-results a").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tenants/initech/")


def test_the_question_mark_shows_the_keys(open_page: OpenPage) -> None:
    page = open_page("viewer")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()


def test_the_first_tab_skips_to_the_content(open_page: OpenPage) -> None:
    page = open_page("viewer")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


def test_pages_are_read_and_searched_without_scripts(open_page: OpenPage) -> None:
    page = open_page("viewer", scripts=False)
    page.get_by_role("link", name="Tenants", exact=True).click()
    page.get_by_label("Name").fill("initech")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="initech", exact=True).click()
    expect(page.get_by_role("heading", name="initech", exact=True)).to_be_visible()
    page.goto("/search/?q=lab")
    expect(page.get_by_role("main").get_by_role("link", name=re.compile("lab-k8s"))).to_be_visible()
