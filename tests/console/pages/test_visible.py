"""Texts from outside: nothing in them acts unseen, and what is read off a page means it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.pages.visible import as_meant, visible, visible_page
from tests.properties import examples

UNSEEN = [
    "\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c",  # direction
    "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e",  # no width
    "\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029",  # control
    "\U000e0041", "\ufff9",
    "\u034f", "\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\u17b4", "\u17b5",  # blank
    "\u180b", "\u180d", "\u180f", "\ufe00", "\ufe0d", "\U000e0100", "\U000e01ef",  # variants
]  # fmt: skip


@pytest.mark.parametrize("mark", UNSEEN)
def test_a_page_shows_what_would_act_unseen_by_its_number(mark: str) -> None:
    page = f'<title>a{mark}b</title><p title="{mark}">é{mark}✓</p>'.encode()
    shown = visible_page(page).decode()
    number = f"⟨U+{ord(mark):04X}⟩"
    assert shown == f'<title>a{number}b</title><p title="{number}">é{number}✓</p>'


@pytest.mark.parametrize("mark", UNSEEN)
def test_what_is_sent_back_or_copied_stays_as_it_is(mark: str) -> None:
    kept = (
        f'<input value="{mark}"><option value="{mark}">x</option>'
        f'<textarea name="a">{mark}\n</textarea><button data-copy="{mark}">x</button>'
    )
    assert visible_page(kept.encode()).decode() == kept


@pytest.mark.parametrize("text", ["", "a\r\n\tb", "é ✓ 漢字 😀\u00a0\u2009\u3000", "⟨U+202E⟩"])
def test_what_is_seen_is_left_alone(text: str) -> None:
    page = text.encode()
    assert visible_page(page) is page


@pytest.mark.parametrize("mark", ["\ufe0e", "\ufe0f"])
def test_what_makes_a_sign_a_picture_is_seen_by_it_and_unseen_after_a_letter(mark: str) -> None:
    signs = f"⚠{mark} ❤{mark} ↔{mark} 🅰{mark} ℹ{mark} ‼{mark} ⁉{mark}"
    assert visible(signs) == signs
    assert visible_page(signs.encode()).decode() == signs
    for letter in ("a", "1", "é", "漢", "\U00020000", ""):
        shown = f"{letter}⟨U+{ord(mark):04X}⟩"
        assert visible(f"{letter}{mark}") == shown
        assert visible_page(f"{letter}{mark}".encode()).decode() == shown


@settings(max_examples=examples(300))
@given(st.text())
def test_what_a_page_shows_of_a_text_means_that_text(text: str) -> None:
    if "⟨U+" not in text and "\0" not in text and not any(map(_is_half, text)):
        assert as_meant(visible(text)) == text


def _is_half(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"


@pytest.mark.parametrize(
    "text", ["⟨U+0000⟩", "⟨U+D800⟩", "⟨U+110000⟩", "⟨U+FFFFFF⟩", "⟨U+⟩", "⟨U+xyz⟩", "⟨U+1⟩"]
)
def test_what_stands_for_no_letter_stays_as_it_is(text: str) -> None:
    assert as_meant(text) == text
