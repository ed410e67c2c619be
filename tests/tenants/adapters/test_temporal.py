"""What a Temporal target's options may be."""

from __future__ import annotations

from typing import Any

import pytest

from tenants.adapters.temporal import options_error


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tls": "yes"}, "tls: 'yes' is not accepted; use true or false."),
        ({"tls": 1}, "tls: 1 is not accepted; use true or false."),
        ({"namespace": ["a"]}, "namespace: use a text of at most 1000 characters."),
        ({"server_name": 5}, "server_name: use a text of at most 1000 characters."),
        ({"client_key": {}}, "client_key: use a text of at most 1000 characters."),
        ({"retention_seconds": "1d"}, "retention_seconds: '1d' is not accepted"),
        ({"retention_seconds": True}, "retention_seconds: 'True' is not accepted"),
        ({"retention_seconds": -1}, "retention_seconds: -1 is not accepted; use 0 to"),
        ({"retention_seconds": 10**30}, "is not accepted; use 0 to 3153600000, a hundred years."),
        ({"queues": ["jobs"]}, "queues: use a mapping of queue names"),
    ],
)
def test_an_option_of_another_type_is_refused_and_not_ignored(
    options: dict[str, Any], error: str
) -> None:
    assert error in options_error(options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tls": True, "namespace": "prod", "server_name": "temporal.internal"},
        {"retention_seconds": 86400, "queues": {"jobs": {"base_rate": 10_000}}},
    ],
)
def test_what_can_be_meant_is_taken(options: dict[str, Any]) -> None:
    assert options_error(options) == ""
