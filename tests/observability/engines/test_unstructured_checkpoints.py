"""What a checkpoint annotation says, whatever was written into it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from observability.engines.unstructured import checkpoint_of

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "done", "total", "words"),
    [
        ('{"done": 12, "total": 40, "text": "pages"}', 12, 40, "pages"),
        ('{"done": 12, "text": "pages"}', 12, None, "pages"),
        ('{"done": 12, "total": null, "text": "pages"}', 12, None, "pages"),
        ("12/40", 12, 40, "12/40"),
        ("nearly", None, None, "nearly"),
    ],
)
def test_counts_and_words_are_told(
    written: str, done: int | None, total: int | None, words: str
) -> None:
    progress = checkpoint_of(written, AT)
    assert (progress.done, progress.total, progress.text) == (done, total, words)


@pytest.mark.parametrize(
    "written",
    [
        '{"done": 1180591620717411303425, "total": 40, "text": "pages"}',
        '{"done": -1, "text": "pages"}',
        '{"done": 12, "total": "many", "text": "pages"}',
        "1180591620717411303425/40",
    ],
)
def test_a_count_that_no_column_holds_is_told_as_it_was_written(written: str) -> None:
    progress = checkpoint_of(written, AT)
    assert progress.text == written
    assert None in (progress.done, progress.total)
