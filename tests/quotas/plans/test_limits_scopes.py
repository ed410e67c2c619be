"""Scopes of a quota: what they select and how their ResourceQuota is called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.plans.contracts import Scope, quota_name, scope_selector
from quotas.plans.limits import parse_key


def test_a_scoped_key_keeps_its_resource_apart_from_its_scopes() -> None:
    key = parse_key("requests.memory@PriorityClass=high,low")

    assert key.resource == "requests.memory"
    assert key.scopes == (Scope("PriorityClass", "In", ("high", "low")),)


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("pods@Terminating", [{"scopeName": "Terminating", "operator": "Exists"}]),
        (
            "pods@PriorityClass=a,b",
            [{"scopeName": "PriorityClass", "operator": "In", "values": ["a", "b"]}],
        ),
        (
            "pods@PriorityClass!=a",
            [{"scopeName": "PriorityClass", "operator": "NotIn", "values": ["a"]}],
        ),
        ("pods@PriorityClass", [{"scopeName": "PriorityClass", "operator": "Exists"}]),
        ("pods@!PriorityClass", [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]),
        (
            "pods@NotBestEffort@!PriorityClass",
            [
                {"scopeName": "PriorityClass", "operator": "DoesNotExist"},
                {"scopeName": "NotBestEffort", "operator": "Exists"},
            ],
        ),
    ],
)
def test_scopes_become_a_scope_selector(text: str, expressions: list[dict[str, object]]) -> None:
    assert scope_selector(parse_key(text).scopes) == {"matchExpressions": expressions}


def test_an_unscoped_quota_has_no_selector_and_the_plain_name() -> None:
    assert scope_selector(()) == {}
    assert quota_name(()) == "headroom"


def test_a_plain_scope_is_readable_in_the_name_of_its_quota() -> None:
    assert quota_name(parse_key("pods@Terminating").scopes) == "headroom-terminating"
    assert quota_name(parse_key("pods@PriorityClass").scopes) == "headroom-priorityclass"


@given(
    st.lists(
        st.sampled_from(
            [
                *("pods@Terminating", "pods@PriorityClass", "pods@!PriorityClass"),
                *("pods@PriorityClass=a,b", "pods@PriorityClass=a-b", "pods@PriorityClass=a.b"),
                *("pods@PriorityClass!=a,b", "pods@Terminating@PriorityClass", "pods"),
                "pods@PriorityClass=" + ",".join(f"class-number-{n}" for n in range(12)),
            ]
        ),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_two_sets_of_scopes_never_share_a_quota(texts: list[str]) -> None:
    first, second = (quota_name(parse_key(text).scopes) for text in texts)

    assert first != second
    for name in (first, second):
        assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)


def test_the_name_of_a_scoped_quota_is_the_same_for_ever() -> None:
    scopes = parse_key("requests.memory@PriorityClass=high,low").scopes

    assert quota_name(scopes) == "headroom-priorityclass-high-low-215a288b"
