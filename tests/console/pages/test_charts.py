"""The headroom bar and the sparkline say in words what they show."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.pages.charts import HeadroomBar, Sparkline

LIMITS = st.none() | st.integers(0, 10**15)


def parts(svg: str) -> set[str]:
    return {node.get("class", "") for node in ElementTree.fromstring(svg).iter()}  # noqa: S314 - our own


def test_a_healthy_bar_is_used_and_room_up_to_the_tick() -> None:
    bar = HeadroomBar(30, 0, 40, 40, "30 cores", "40 cores", "40 cores", "10 cores", "cpu")
    assert parts(bar.svg()) >= {"hbar-used", "hbar-room", "hbar-tick"}
    assert "hbar-intended" not in parts(bar.svg())
    assert "hbar-reserved" not in parts(bar.svg())
    assert bar.text == "cpu: 30 cores used of 40 cores, 10 cores left"
    assert 'class="hbar-used" y="3" width="75.00%"' in bar.svg()


def test_what_is_reserved_is_hatched_after_what_is_used() -> None:
    bar = HeadroomBar(10, 5, 40, 40)
    assert 'class="hbar-reserved" x="25.00%" y="3" width="12.50%"' in bar.svg()
    assert "part of it reserved" in bar.text


def test_a_push_on_its_way_has_a_second_tick() -> None:
    bar = HeadroomBar(10, 0, 40, 80, intended_text="80 cores")
    assert "hbar-intended" in parts(bar.svg())
    assert "hbar-coming" in parts(bar.svg())
    assert bar.text.endswith("the intended limit is 80 cores")


def test_use_past_the_limit_is_red_past_the_tick() -> None:
    bar = HeadroomBar(80, 0, 40, 40, "80", "40", headroom_text="")
    assert 'class="hbar-past" x="50.00%" y="3" width="50.00%"' in bar.svg()
    assert "hbar-over" in bar.svg()
    assert bar.is_over
    assert "over the limit" in bar.text


@pytest.mark.parametrize(("used", "near"), [(35, False), (36, True), (40, True)])
def test_ninety_percent_is_near(used: int, near: bool) -> None:
    assert HeadroomBar(used, 0, 40, 40).is_near is near
    assert HeadroomBar(used - 5, 5, 40, 40).is_near is near


def test_unlimited_has_no_end_and_no_tick() -> None:
    bar = HeadroomBar(112, used_text="112", headroom_text="∞")
    assert parts(bar.svg()) >= {"hbar-open", "hbar-dot"}
    assert "hbar-tick" not in parts(bar.svg())
    assert bar.text == "112 used, no limit, ∞ left"


def test_none_is_not_unlimited() -> None:
    nothing = HeadroomBar(0, 0, 0, 0, "0", "0")
    assert "hbar-tick" in parts(nothing.svg())
    assert not nothing.is_over
    assert not nothing.is_near
    assert HeadroomBar(1, 0, 0, 0).is_over
    assert "of 0" in nothing.text


def test_unknown_use_is_said_with_its_reason() -> None:
    bar = HeadroomBar(None, 0, 40, 40, unknown_reason="prod-gke unreachable")
    assert "hbar-unknown" in parts(bar.svg())
    assert "use unknown (prod-gke unreachable)" in bar.text
    assert not bar.is_over
    assert not bar.is_near


def test_a_limit_that_nobody_enforces_yet_is_only_intended() -> None:
    bar = HeadroomBar(5, 0, None, 40, intended_text="40", enforced_known=False)
    assert "hbar-tick" not in parts(bar.svg())
    assert "hbar-intended" in parts(bar.svg())
    assert "nothing enforced yet" in bar.text


def test_words_from_outside_are_escaped() -> None:
    bar = HeadroomBar(1, 0, 2, 2, label='<script>"')
    assert "<script>" not in bar.svg()
    assert ElementTree.fromstring(bar.svg()).get("aria-label", "").startswith('<script>"')  # noqa: S314 - our own


@given(
    used=st.none() | st.integers(0, 10**15),
    reserved=st.integers(0, 10**15),
    enforced=LIMITS,
    intended=LIMITS,
    known=st.booleans(),
)
def test_every_bar_is_well_formed_and_stays_in_its_frame(
    used: int | None, reserved: int, enforced: int | None, intended: int | None, known: bool
) -> None:
    svg = HeadroomBar(used, reserved, enforced, intended, enforced_known=known).svg()
    for node in ElementTree.fromstring(svg).iter("rect"):  # noqa: S314 - our own
        start, width = node.get("x", "0"), node.get("width", "0")
        if width.endswith("%"):
            assert float(start.rstrip("%")) + float(width.rstrip("%")) <= 100.02


def test_a_gap_in_the_history_is_a_gap_in_the_line() -> None:
    svg = Sparkline([1, 2, None, None, 3, 4, None]).svg()
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == 1


def test_no_history_is_said() -> None:
    assert "No history yet" in Sparkline([]).svg()
    assert "spark-none" in Sparkline([None, None]).svg()


def test_a_flat_history_and_its_limit_are_drawn() -> None:
    svg = Sparkline([0, 0, 0], text="24 h: 0", limit=0).svg()
    assert "spark-limit" in svg
    assert 'aria-label="24 h: 0"' in svg
    ElementTree.fromstring(svg)  # noqa: S314 - our own


def test_what_still_runs_of_a_stopped_tenant_is_no_news() -> None:
    bar = HeadroomBar(3, 0, 0, 60, "3", "0", "60", "3 still there", "pods", stopped=True)
    assert not bar.is_over
    assert "hbar-past" not in bar.svg()
    assert "nothing new may start" in bar.text
