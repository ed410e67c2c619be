from __future__ import annotations

import pytest

from console.clients.temporal.operations import json_payloads


@pytest.mark.parametrize(
    "text",
    ['{"price": 0.12345678901234567890}', "1e400", "123456789012345678901234567890", '"é"', "null"],
)
def test_json_is_sent_as_it_was_typed(text: str) -> None:
    (payload,) = json_payloads(text).payloads
    assert payload.data.decode() == text
    assert payload.metadata["encoding"] == b"json/plain"
