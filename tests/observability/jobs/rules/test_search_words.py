"""Words of runs: what they are found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.jobs.rules.search_words import (
    LONGEST_WORD,
    MOST_WORDS,
    query_words,
    search_words,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("InvoiceFlow", "invoiceflow invoice flow"),
        ("OOMKilled", "oomkilled oom killed"),
        ("HTTPServerError", "httpservererror http server error"),
        ("send_mail", "send mail"),
        ("prod-7/worker@host.example", "prod 7 worker host example"),
        ("9f1ca2b3-4d5e", "9f1ca2b3 4d5e"),
        ("Größe ﬁn", "größe fin"),
        ("", ""),
        ("<script>alert(1)</script>", "script alert 1"),
    ],
)
def test_a_text_becomes_words(text: str, words: str) -> None:
    assert search_words(text) == words


def test_texts_that_matter_most_come_first_and_each_word_once() -> None:
    assert search_words("Pay", "pay-1", "pay failed") == "pay 1 failed"


@given(st.lists(st.text(max_size=300), max_size=4))
def test_words_are_bounded_plain_and_separated_by_one_space(texts: list[str]) -> None:
    words = search_words(*texts).split(" ") if search_words(*texts) else []
    assert len(words) <= MOST_WORDS
    assert len(set(words)) == len(words)
    for word in words:
        assert word.isalnum()
        assert len(word) <= LONGEST_WORD


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_whatever_is_copied_from_a_run_finds_it(text: str) -> None:
    have = search_words(text).split(" ")
    assert all(
        any(word.startswith(query_word) for word in have) for query_word in query_words(text)
    )
