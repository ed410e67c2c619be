"""Limits and network exceptions as a form writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.changes.rules.catalogue import offers
from quotas.changes.rules.form_text import (
    exception_document,
    limit_text,
    peer_of,
    ports_of,
)
from quotas.plans.contracts import NetworkException
from quotas.plans.limits import parse_key, parse_limit


@given(
    key=st.sampled_from([offer.key for offer in offers()]),
    value=st.none() | st.integers(min_value=1, max_value=2**62),
)
def test_what_the_editor_shows_reads_back_exactly(key: str, value: int | None) -> None:
    if value is not None:
        value = min(value, parse_key(key).largest)
    if value is None and parse_key(key).required:
        value = 1000
    assert parse_limit(parse_key(key), limit_text(key, value)) == value


@pytest.mark.parametrize(
    ("exception", "peer", "ports"),
    [
        (NetworkException("a", "egress", everything=True), "everything", ""),
        (
            NetworkException("a", "egress", cidr="10.0.0.0/8", ports=(("TCP", 443),)),
            "10.0.0.0/8", "TCP/443",
        ),
        (
            NetworkException("a", "ingress", namespace="ns", ports=(("UDP", 53), ("TCP", 53))),
            "ns", "UDP/53, TCP/53",
        ),
    ],
)  # fmt: skip
def test_exceptions_of_the_network_are_one_row_each(
    exception: NetworkException, peer: str, ports: str
) -> None:
    assert (peer_of(exception), ports_of(exception)) == (peer, ports)
    document = exception_document(name="a", direction=exception.direction, peer=peer, ports=ports)
    assert document.get("cidr", "") == exception.cidr
    assert document.get("namespace", "") == exception.namespace
    assert document.get("everything", False) == exception.everything
    assert [tuple(port) for port in document.get("ports", [])] == list(exception.ports)
    assert exception_document(name="a", direction="egress", peer="b", ports="80")["ports"] == [
        ["TCP", 80]
    ]
