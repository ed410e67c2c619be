"""What cannot be read is set aside, bounded, and all of it is counted."""

from __future__ import annotations

import pytest

from observability.engines import set_aside
from observability.engines.argo.shape import WORKFLOW
from observability.engines.set_aside import NAMELESS, SetAside


def test_what_is_beyond_the_most_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST", 3)
    aside = SetAside("Workflow", WORKFLOW)
    for number in range(10):
        item = {"metadata": {"name": f"flow-{number}", "namespace": "acme"}}
        assert list(aside.runs(item, list)) == []
    problems = aside.take()
    assert [item.problem for item in problems] == [*[NAMELESS] * 3, "7 more cannot be read"]
    assert aside.take() == ()
