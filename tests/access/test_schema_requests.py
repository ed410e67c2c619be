"""Every operation of the REST API with what schemathesis makes of its schema, meant or not: each
answers, and none with a failure of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from console.rest.schema_view import document
from tests.access.test_matrix import built
from tests.access.test_odd_requests import BLANKS, Trial, operations, trial
from tests.access.world import World
from tests.fuzzing import fuzz_examples

pytestmark = [pytest.mark.fuzz, pytest.mark.django_db]
__all__ = ["built", "trial"]
OPERATIONS: Final = 70
NOT_OURS: Final = {"Cookie", "Authorization", "X-HTTP-Method-Override"}
"""Headers that say who asks: that is tried elsewhere."""


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_operation_fails_over_what_its_schema_brings_forth(
    trial: Trial, built: World, mode: GenerationMode
) -> None:
    real = {_shape(method, path): path for method, path, _ in operations(built)}
    loaded = schemathesis.openapi.from_dict(document())
    described = [result.ok() for result in loaded.get_all_operations() if isinstance(result, Ok)]
    assert len(described) > OPERATIONS
    for operation in described:
        if not operation.path.endswith("/schema/"):
            address = real.get(_shape(operation.method, operation.path))
            _send_each(trial, operation, mode, [address] if address else [])
    assert trial.tried > OPERATIONS
    assert not trial.wrong, f"{len(trial.wrong)} of {trial.tried}:\n" + "\n".join(trial.wrong[:10])


def _shape(method: str, path: str) -> str:
    return f"{method.upper()}:{BLANKS.sub('_', re.sub(r'{[^}]+}', '_', path))}"


def _send_each(trial: Trial, operation: Any, mode: GenerationMode, real: Sequence[str]) -> None:
    """To made-up addresses, which lead nowhere mostly, and to one of what there is."""

    @settings(
        max_examples=fuzz_examples(default=2, large=50),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        query = urlencode(case.query or {}, doseq=True, errors="replace")
        headers = {
            name: str(value) for name, value in (case.headers or {}).items() if name not in NOT_OURS
        }
        body = b"" if case.body is NOT_SET else json.dumps(case.body, default=str).encode()
        for path in (case.formatted_path, *real):
            address = f"{path}?{query}" if query else path
            trial.send(case.method.upper(), address, body, "application/json", headers)

    attempt()
