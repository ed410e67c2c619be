"""How templates are written: what one reads in a review, and who includes what."""

from __future__ import annotations

import re

from tests.architecture.test_structure import ROOT, tracked

MAX_WIDTH = 140
TEMPLATES = ROOT / "templates"


def test_no_line_of_a_template_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked(".html")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MAX_WIDTH
    ]
    assert long == []


def test_no_template_outgrows_150_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked(".html")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 150
    }
    assert long == {}


def test_what_is_included_is_a_partial_and_every_partial_is_used() -> None:
    """A partial's name begins with an underscore; nobody includes a page, no partial lies about."""
    texts = [path.read_text(encoding="utf-8") for path in tracked(".html", ".py")]
    included = {name for text in texts for name in re.findall(r'{% include "([\w/.]+)"', text)}
    assert [name for name in included if not name.rpartition("/")[2].startswith("_")] == []
    partials = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("_*.html")}
    assert len(partials) > 40
    everything = "\n".join(texts)
    assert sorted(name for name in partials if f'"{name}"' not in everything) == []
