"""Where code and history part, as far as the SDK says it in words."""

from __future__ import annotations

from console.clients.temporal.replay.compare import first_divergence


def test_the_event_that_the_sdk_names_is_taken_where_the_steps_do_not_tell() -> None:
    message = 'message: "no", source: HistoryEvent(id: 17, TimerStarted)'
    divergence = first_divergence([], [], message)
    assert (divergence.event_id, divergence.event_type, divergence.actual) == (
        17,
        "TimerStarted",
        "no",
    )


def test_an_event_number_that_no_history_has_is_none() -> None:
    divergence = first_divergence([], [], f"HistoryEvent(id: {'9' * 5000}, TimerStarted)")
    assert (divergence.event_id, divergence.event_type) == (0, "TimerStarted")
    assert len(divergence.expected) < 60
