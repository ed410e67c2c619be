"""The components that every page uses."""

from datetime import timedelta

import pytest
import time_machine
from django import forms
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from console.database.keyset import Page
from console.pages.charts import HeadroomBar, Sparkline


def render(text: str, **context: object) -> str:
    return Template(text).render(Context(context))


@pytest.mark.parametrize(
    ("state", "word", "icon", "tone"),
    [
        ("synced", "Synced", "synced", "quiet"),
        ("conflict", "Conflict", "conflict", "bad"),
        ("drifted", "Drifted", "drifted", "warn"),
        ("suspended", "Suspended", "suspended", "off"),
        ("running", "Running", "progressing", "moving"),
        ("failed", "Failed", "failed", "bad"),
    ],
)
def test_a_state_is_an_icon_and_a_word(state: str, word: str, icon: str, tone: str) -> None:
    shown = render("{% condition state %}", state=state)
    assert f"<span>{word}</span>" in shown
    assert f'href="#i-{icon}"' in shown
    assert f"state-{tone}" in shown


def test_an_unheard_of_state_is_shown_as_a_word_and_as_unknown() -> None:
    shown = render("{% condition 'very_odd' %}")
    assert "Very odd" in shown
    assert "#i-unknown" in shown


def test_a_note_beside_a_state_is_escaped() -> None:
    assert "&lt;b&gt;" in render("{% condition 'conflict' note %}", note="<b>")
    assert "&lt;x&gt;" in render("{% condition state %}", state="<x>")


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=1), "now"),
        (timedelta(seconds=42), "42 s ago"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=9), "9 d ago"),
        (timedelta(hours=-2, seconds=-5), "in 2 h"),
    ],
)
def test_time_is_relative_with_the_exact_time_on_hover(before: timedelta, text: str) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        when = timezone.now() - before
        shown = render("{% ago when %}", when=when)
    assert f">{text}</time>" in shown
    assert f'datetime="{when:%Y-%m-%dT%H:%M:%S}Z"' in shown
    assert f'title="{when:%Y-%m-%d %H:%M:%S} UTC"' in shown


def test_what_never_happened_has_no_time() -> None:
    assert "never" in render("{% ago None %}")
    assert "not yet" in render("{% ago None never='not yet' %}")


def test_an_unknown_amount_is_a_dash_with_its_reason_and_zero_is_zero() -> None:
    unknown = render("{% amount None reason='target unreachable' %}")
    assert "–" in unknown
    assert "target unreachable" in unknown
    assert ">0<" in render("{% amount '0' 0 %}")
    assert 'title="1500"' in render("{% amount '1.5 cores' 1500 %}")


def test_a_copyable_id_is_escaped_and_carries_its_value() -> None:
    shown = render("{% copyable value %}", value='a"b')
    assert 'data-copy="a&quot;b"' in shown


def test_the_bar_shows_its_headroom_or_says_over() -> None:
    fine = HeadroomBar(3, 0, 10, 10, headroom_text="7 pods")
    over = HeadroomBar(12, 0, 10, 10, headroom_text="")
    assert "7 pods" in render("{% headroom_bar bar %}", bar=fine)
    assert "hroom" not in render("{% headroom_bar bar number=False %}", bar=fine)
    assert ">over<" in render("{% headroom_bar bar %}", bar=over)
    assert "–" in render("{% headroom_bar bar %}", bar=None)


def test_a_sparkline_is_drawn_or_nothing() -> None:
    assert "<polyline" in render("{% sparkline spark %}", spark=Sparkline([1, 2, 3]))
    assert render("{% sparkline spark %}", spark=None) == ""


def test_progress_says_its_counts_in_words_too() -> None:
    shown = render("{% progress 212 380 refused=3 label='prod-gke' %}")
    assert 'aria-label="prod-gke: 212 of 380 done, 3 refused"' in shown
    assert "pline-bad" in shown
    assert "212/380" in shown
    assert "0/0" in render("{% progress 0 0 %}")


def test_an_empty_state_says_what_to_do_next() -> None:
    shown = render(
        "{% empty_state 'No tenants' url='/new/' label='Add' %}Add one.{% endempty_state %}"
    )
    assert 'href="/new/"' in shown
    assert "No tenants" in shown
    assert "button" not in render("{% empty_state 'Nothing' %}{% endempty_state %}")


def test_a_panel_polls_only_when_told_to() -> None:
    assert 'hx-trigger="load, every 20s"' in render("{% panel '/x/' every=20 %}")
    once = render("{% panel '/x/' lines=3 id='jobs' %}")
    assert 'hx-trigger="load"' in once
    assert 'id="jobs"' in once
    assert once.count("<span></span>") == 3


class Ask(forms.Form):
    reason = forms.CharField(help_text="Why.")
    when = forms.CharField(required=False)
    sure = forms.BooleanField(required=False)


def test_a_field_ties_its_help_and_its_errors_to_the_control() -> None:
    shown = render("{% field form.reason %}", form=Ask({"reason": ""}))
    assert 'aria-describedby="id_reason_help id_reason_error"' in shown
    assert 'id="id_reason_error"' in shown
    assert 'aria-invalid="true"' in shown
    assert '<label for="id_reason">' in shown


def test_a_field_that_may_stay_empty_says_so() -> None:
    assert "optional" in render("{% field form.when %}", form=Ask())
    assert "field-box" in render("{% field form.sure %}", form=Ask())
    assert "optional" not in render("{% field form.sure %}", form=Ask())


def test_errors_of_the_whole_form_are_an_alert() -> None:
    form = Ask({"reason": "x"})
    form.add_error(None, "Both at once is not possible.")
    shown = render("{% form_errors form %}", form=form)
    assert 'role="alert"' in shown
    assert "Both at once" in shown
    assert render("{% form_errors form %}", form=Ask()).strip() == ""


def test_a_diff_shows_what_was_added_changed_and_removed() -> None:
    shown = render(
        "{% diff_table before after %}",
        before={"cpu": 40, "gone": 1, "same": 2},
        after={"cpu": 30, "new": None, "same": 2},
    )
    assert "<del>40</del>" in shown
    assert "<ins>30</ins>" in shown
    assert "diff-added" in shown
    assert "diff-removed" in shown
    assert "same" not in shown
    assert "No values changed" in render("{% diff_table before before %}", before={"a": 1})


def test_something_new_is_shown_by_its_values_alone() -> None:
    made = {"labels": {"team": "red"}, "isolated": True, "key": ""}
    shown = render("{% diff_table before after %}", before=None, after=made)
    assert "Before" not in shown
    for words in ("team=red", "yes", "empty"):
        assert f"<td>{words}</td>" in shown


def test_page_links_keep_the_filters() -> None:
    request = RequestFactory().get("/audit/", {"tenant": "acme", "cursor": "old"})
    shown = render("{% pager page %}", page=Page(rows=[], next="n1"), request=request)
    assert "?tenant=acme&amp;cursor=n1" in shown
    assert "Previous" not in shown
    assert render("{% pager page %}", page=Page(rows=[]), request=request).strip() == ""


def test_a_chip_takes_its_filter_away_and_starts_at_the_first_page() -> None:
    request = RequestFactory().get("/audit/", {"tenant": "acme", "actor": "ana", "cursor": "x"})
    shown = render("{% chip 'tenant' 'acme' %}", request=request)
    assert 'href="?actor=ana"' in shown


def test_a_static_file_has_a_fingerprint() -> None:
    shown = render("{% asset 'console/headroom.css' %}")
    path, _, version = shown.partition("?v=")
    assert path == "/static/console/headroom.css"
    assert len(version) == 8
