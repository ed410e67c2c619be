"""When a cluster's versions say that nothing can be told from them."""

from __future__ import annotations

from typing import Any

import pytest

from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.kinds import Selection
from quotas.enforcement.adapters.kubernetes import unchanged
from quotas.enforcement.adapters.kubernetes.unchanged import VersionMark, compared

QUOTAS = Selection("ResourceQuota")


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("4000", "4000", True),
        ("4000", "4001", True),
        # A database put back to an older state takes a watch from the future without a word.
        ("5000", "4000", False),
        ("10000", "9999", False),
        ("opaque", "opaque", False),
        ("9" * 5000, "9" * 5000, False),  # of which int() makes an error
        ("4000", "9" * 5000, False),
    ],
)
def test_a_database_that_was_put_back_is_not_as_it_was(
    monkeypatch: pytest.MonkeyPatch, before: str, now: str, same: bool
) -> None:
    def versions(*_: Any) -> tuple[str, dict[Selection, str]]:
        return "cluster", {QUOTAS: now}

    monkeypatch.setattr(unchanged, "_now", versions)
    monkeypatch.setattr(unchanged, "_is_quiet", lambda *_: True)
    mark = VersionMark("cluster", {QUOTAS: before}, {QUOTAS: before})
    client = KubernetesClient("kubeconfig:/nowhere")
    assert compared(client, mark, timeout=60).same is same
