"""The options that every kind of target has: links to other pages, and how long runs are kept."""

from __future__ import annotations

from typing import Any

import pytest

from console.errors import DomainError
from tenants.rules import check_target


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ui_url": "https://argo.example/base", "trail_retention_days": 1},
        {"ui_url": "", "trace_url": None, "trail_retention_days": 3650},
        {"trace_url": "https://tempo.example/trace/{trace_id}?from={from_ms}&to={to_ms}"},
        {"logs_url": "http://logs.example:3000/explore?q={tenant}+{namespace}+{pod}+{request_id}"},
        {"argo_server": "https://argo:2746", "argo_server_token": "env:HEADROOM_CRED_ARGO"},
        {"argo_server_token": "file:/var/run/secrets/argo"},
    ],
)
def test_links_and_references_are_taken(options: dict[str, Any]) -> None:
    assert check_target("temporal", options=options) == {"options": options}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("ui_url", "argo.example", "use an http or https URL"),
        ("ui_url", "javascript:alert(1)", "use an http or https URL"),
        ("ui_url", "https://", "use an http or https URL"),
        ("ui_url", "https://[::1", "use an http or https URL"),
        ("ui_url", "https://argo.example/{namespace}", "takes no braces"),
        ("ui_url", 7, "use a URL"),
        ("trace_url", "ftp://tempo.example/{trace_id}", "use an http or https URL"),
        ("trace_url", "https://{tenant}.example/", "use an http or https URL"),
        ("trace_url", "https://tempo.example/{trace}", "{trace} is unknown; use from_ms, job"),
        ("logs_url", "https://logs.example/{}", "{} is unknown"),
        ("logs_url", "https://logs.example/{pod", "a brace stands alone"),
        ("logs_url", "https://logs.example/a b", "without blanks"),
        ("logs_url", "https://logs.example/" + "x" * 1000, "up to 1000 characters"),
        ("trail_retention_days", 0, "whole days from 1 to 3650"),
        ("trail_retention_days", 3651, "whole days from 1 to 3650"),
        ("trail_retention_days", True, "whole days from 1 to 3650"),
        ("trail_retention_days", 1.5, "whole days from 1 to 3650"),
        ("trail_retention_days", "30", "whole days from 1 to 3650"),
    ],
)
def test_what_is_wrong_with_an_option_is_named(option: str, value: object, words: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_target("temporal", options={option: value})
    assert refused.value.field == f"options.{option}"
    assert refused.value.message.startswith(f"Options: {option} ")
    assert words in refused.value.message


@pytest.mark.parametrize("value", ["eyJhbGciOi", "env:not a name", "file:relative"])
def test_a_token_that_is_no_reference_is_a_secret(value: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_target("argo", options={"argo_server_token": value})
    assert refused.value.code == "inline_secret"
    assert value not in refused.value.message
