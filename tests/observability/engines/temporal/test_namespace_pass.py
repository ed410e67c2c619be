"""What a namespace keeps for longer than any calendar reaches back is not missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from observability.engines.temporal.cursor import Cursor
from observability.engines.temporal.namespace_pass import NamespacePass

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize("retention", [None, 86400 * 365 * 3000, 315_576_000_000, 2**63 - 1])
def test_nothing_is_missed_of_a_namespace_that_keeps_all(retention: int | None) -> None:
    nobody = cast(Any, None)
    cursor = Cursor(closed=NOW - timedelta(days=900), started=NOW, current=True)
    assert list(NamespacePass(nobody, nobody, nobody, cursor).missed(NOW, retention)) == []
