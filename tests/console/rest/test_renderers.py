"""JSON of REST answers: the same values as DRF's own renderer writes."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.renderers import JSONRenderer

from console.access.models import Role
from console.rest.renderers import FastJSONRenderer


@pytest.mark.parametrize(
    "value",
    [
        {"at": datetime(2026, 11, 22, 18, 0, 0, 5, tzinfo=UTC), "none": None, "é": [1, 2.5]},
        {"role": Role.ADMIN, 7: "number", "price": Decimal("1.10")},
        {"beyond 64 bits": 10**30},
        [],
    ],
)
def test_it_says_what_the_usual_renderer_says(value: Any) -> None:
    fast, usual = FastJSONRenderer().render(value), JSONRenderer().render(value)
    assert json.loads(fast) == json.loads(usual)


def test_no_content_is_nothing() -> None:
    assert FastJSONRenderer().render(None) == b""
