"""The OpenAPI document is made once, and is there when the first one asks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from console.rest import schema_view
from tests.faults.processes import manage
from tests.rest import Rest


def test_of_many_that_ask_a_cold_process_at_once_each_gets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_work = threading.Lock()
    made: list[int] = []
    real = SchemaGenerator.get_schema

    def alone(self: Any, **options: Any) -> Any:
        assert at_work.acquire(blocking=False), "two at once"
        made.append(1)
        try:
            return real(self, **options)  # type: ignore[no-untyped-call]  # drf-spectacular's
        finally:
            at_work.release()

    monkeypatch.setattr(SchemaGenerator, "get_schema", alone)
    schema_view._made.cache_clear()
    with ThreadPoolExecutor(4) as threads:
        documents = list(threads.map(lambda _: schema_view.document(), range(8)))
    assert len(made) == 1
    assert all("/api/v1/tenants/" in document["paths"] for document in documents)


def test_a_web_server_has_made_it_before_it_is_asked() -> None:
    code = (
        "import console.wsgi; from console.rest import schema_view;"
        "print(schema_view._made.cache_info().currsize)"
    )
    done = manage("shell", "--no-imports", "-c", code)
    assert done.stdout.split()[-1:] == ["1"], done.stderr


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["", "?format=json", "?version=%0d%0aX-Evil:1", "?lang=%00x"])
def test_nothing_that_is_asked_for_beside_it_gets_into_a_header(query: str) -> None:
    answer = Rest("viewer").get(f"schema/{query}")
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        kind = "json" if "json" in query else "yaml"
        assert answer["Content-Disposition"] == f'inline; filename="headroom-api.{kind}"'
