"""Logs: one line per event, each with the id of the request it belongs to."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from console import logs
from console.celery import app
from console.middleware import RequestId
from console.request import client_request_id


@pytest.fixture
def formatted(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Formats as the handler of LOG_FORMAT would: `formatted("json")` returns a formatter."""
    kept = structlog.get_config()

    def formatter(fmt: str) -> logging.Formatter:
        config = logs.config(fmt=fmt, level="INFO")
        return logging.config.DictConfigurator(config).configure_formatter(
            dict(config["formatters"]["structured"])
        )

    yield formatter
    structlog.configure(**kept)


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("quotas", logging.INFO, __file__, 1, message, None, None)


def test_a_line_is_json_with_our_id_of_the_request_and_the_callers_beside_it(
    formatted: Any,
) -> None:
    json_lines = formatted("json")
    lines: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        lines.append(json_lines.format(record("plan.published")))
        return HttpResponse()

    request = RequestFactory().get("/", headers={"X-Request-ID": "from-the-proxy-1"})
    response = RequestId(view)(request)
    line = json.loads(lines[0])
    assert line["event"] == "plan.published"
    assert line["request_id"] == response["X-Request-ID"] != "from-the-proxy-1"
    assert len(line["request_id"]) == 32
    assert line["client_request_id"] == "from-the-proxy-1"
    assert {"level", "logger", "timestamp"} <= line.keys()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('x"} {"event": "forged', 'x"}{"event":"forged'),
        ("a\nb\x1b[31mc", "ab[31mc"),
        ("a\u202eb\u200bc", "abc"),
        ("x" * 100_000, "x" * 64),
        ("\u202e", ""),
    ],
)
def test_an_id_of_the_caller_is_kept_short_and_visible(sent: str, kept: str) -> None:
    assert client_request_id(sent) == kept


def test_a_task_logs_under_the_id_of_the_request_that_caused_it(formatted: Any) -> None:
    json_lines = formatted("json")
    lines: list[str] = []

    @app.task(name="tests.log_a_line")
    def line() -> None:
        lines.append(json_lines.format(record("rollout.item.done")))

    line.apply(headers={"request_id": "from-the-request"})
    fields = json.loads(lines[0])
    assert (fields["request_id"], fields["task"]) == ("from-the-request", "tests.log_a_line")


def test_people_can_have_lines_for_reading(formatted: Any) -> None:
    text = formatted("console").format(record("plan.published"))
    assert "plan.published" in text
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
