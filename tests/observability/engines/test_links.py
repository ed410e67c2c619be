"""Ways out of a run: every name is one part of the address, and nothing chooses its host."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.engines.commands import Command, word
from observability.engines.contracts import Engine
from observability.engines.links import Link, RunAddress, event_link, fill, links_out
from observability.engines.registry import EngineAdapter, adapter_for
from tests.observability.jobs.factories import NOON, after

EVIL = "../a b/c?d=e&f#g%2F'\"<x>"


def address(engine: Engine = Engine.TEMPORAL, **fields: Any) -> RunAddress:
    """A run of an engine."""
    values: dict[str, Any] = {
        "features": adapter_for(engine).features,
        "location": "prod",
        "external_id": "order-7",
        "run_id": "r-1",
        "queue": "shared-a",
        "tenant": "acme",
        "since": NOON,
        "until": after(60),
    }
    return RunAddress(**(values | fields))


def adapter_of(run: RunAddress) -> EngineAdapter:
    """The adapter of the engine that ran it."""
    adapters = map(adapter_for, Engine)
    return next(adapter for adapter in adapters if adapter.features is run.features)


def ways_out(run: RunAddress, options: Mapping[str, Any]) -> list[Link]:
    """The links of a run of any engine."""
    return links_out(adapter_of(run).links, run, options)


def event_page(run: RunAddress, options: Mapping[str, Any], **event: str) -> str:
    """The page of an event of a run of any engine."""
    return event_link(adapter_of(run).links, run, options, **event)


def commands_for(
    run: RunAddress, options: Mapping[str, Any], *, endpoint: str = ""
) -> list[Command]:
    """The commands for a run of any engine."""
    return adapter_of(run).commands(run, options, endpoint)


def urls(run: RunAddress, **options: Any) -> dict[str, str]:
    """The addresses by label."""
    return {link.label: link.url for link in ways_out(run, options)}


def test_temporals_routes_are_those_of_its_ui() -> None:
    pages = urls(address(), ui_url="https://t.example/")
    run = "https://t.example/namespaces/prod/workflows/order-7/r-1"
    assert pages["Temporal: run"] == run
    assert pages["Temporal: history"] == f"{run}/history"
    queue = "https://t.example/namespaces/prod/task-queues/shared-a"
    assert pages["Temporal: task queue"] == queue
    assert "Temporal: pending activities" not in pages
    live = urls(address(is_open=True), ui_url="https://t.example")
    assert live["Temporal: pending activities"] == f"{run}/pending-activities"


def test_a_standalone_activity_has_pages_and_commands_of_its_own() -> None:
    alone = address(run_id="activity:r-1", is_open=True)
    pages = urls(alone, ui_url="https://t.example")
    assert pages["Temporal: activity"] == "https://t.example/namespaces/prod/activities/order-7/r-1"
    assert not {"Temporal: history", "Temporal: pending activities"} & set(pages)
    assert event_page(alone, {"ui_url": "https://t.example"}, key="2", step="") == ""
    commands = commands_for(alone, {}, endpoint="h:7233")
    assert commands[0].line == (
        "temporal activity describe --namespace prod --address h:7233 --activity-id=order-7 "
        "--run-id=r-1"
    )
    assert [command.label for command in commands if command.acts] == ["Cancel", "Terminate"]


def test_an_event_has_a_page_only_where_the_engine_has_one() -> None:
    options = {"ui_url": "https://t.example"}
    run = "https://t.example/namespaces/prod/workflows/order-7/r-1"
    assert event_page(address(), options, key="12", step="") == f"{run}/history/events/12"
    assert event_page(address(), options, key="12:retry", step="") == ""
    assert event_page(address(), options, key="²", step="") == ""
    assert event_page(address(), {}, key="12", step="") == ""
    argo = address(Engine.ARGO, is_open=True)
    assert event_page(argo, {"ui_url": "https://a.example"}, key="x", step="node 1") == (
        "https://a.example/workflows/prod/order-7?tab=workflow&nodeId=node+1&nodePanelView=summary"
    )


def test_argo_and_flower_lead_to_the_run() -> None:
    argo = urls(address(Engine.ARGO), ui_url="https://a.example/argo")
    assert argo["Argo: workflow"] == (
        "https://a.example/argo/workflows/prod/order-7?tab=workflow&uid=r-1"
    )
    flower = urls(address(Engine.CELERY), ui_url="https://f.example")
    assert flower["Flower: task"] == "https://f.example/task/order-7"


def test_templates_are_filled_with_what_the_run_is() -> None:
    run = address(Engine.KUBERNETES, trace_id="4bf9", pod="p-1")
    template = "https://l.example/{namespace}/{job}/{pod}/{trace_id}?q={tenant}&t={from_ms}-{to_ms}"
    start = int(NOON.timestamp() * 1000)
    assert fill(template, run.values()) == (
        f"https://l.example/prod/order-7/p-1/4bf9?q=acme&t={start - 60_000}-{start + 120_000}"
    )


@pytest.mark.parametrize(
    ("engine", "filled"),
    [
        (Engine.TEMPORAL, {"namespace": "prod", "workflow_id": "order-7"}),
        (Engine.ARGO, {"namespace": "prod", "workflow_id": "order-7"}),
        (Engine.CELERY, {"queue": "prod", "task_id": "order-7"}),
        (Engine.KUBERNETES, {"namespace": "prod", "job": "order-7"}),
    ],
)
def test_each_engine_fills_placeholders_of_its_own_and_knows_the_others(
    engine: Engine, filled: dict[str, str]
) -> None:
    names = ("namespace", "workflow_id", "task_id", "job", "queue")
    values = address(engine, queue="").values()
    assert {name: values[name] for name in names if values[name]} == filled
    assert address(engine).values()["queue"] == "shared-a"
    assert {*names} <= {*values}


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("javascript:alert(1)", "not an http or https address"),
        ("//evil.example/{tenant}", "not an http or https address"),
        ("https://{tenant}.example/", "may not choose the host"),
        ("https://x.example/{secret}", "is no placeholder"),
        ("https://x.example/{trace_id}", "this run has no trace id"),
        ("https://[x", "not an http or https address"),
    ],
)
def test_a_template_that_cannot_be_filled_says_why(template: str, why: str) -> None:
    (link,) = [
        link
        for link in ways_out(address(), {"trace_url": template, "ui_url": "https://t.example"})
        if link.label == "Trace"
    ]
    assert link.url == ""
    assert why in link.missing
    assert link.option == "trace_url"


def test_what_is_not_set_is_said_instead_of_linked() -> None:
    for engine in Engine:
        links = ways_out(address(engine), {})
        assert [link.option for link in links] == ["ui_url", "trace_url", "logs_url"]
        assert not any(link.url for link in links)
        bad = ways_out(address(engine), {"ui_url": "javascript:alert(1)"})
        assert not bad[0].url


@given(name=st.text(min_size=1).filter(lambda text: "\x00" not in text))
def test_a_name_stays_one_part_of_the_path(name: str) -> None:
    run = address(external_id=name, location=name, run_id="r")
    path = urlsplit(urls(run, ui_url="https://t.example")["Temporal: run"]).path
    parts = path.split("/")
    assert len(parts) == 6
    assert unquote(parts[2]) == unquote(parts[4]) == name
    assert "." not in {parts[2], parts[4]}
    assert ".." not in {parts[2], parts[4]}


@given(name=st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_a_word_is_one_word_whatever_it_holds(name: str) -> None:
    written = word(name)
    assert written.isprintable()
    if name.isprintable():
        assert shlex.split(written) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "$(id)`id`",
        "it's",
        "\u202egnp.exe",
        "line\nbreak; id",
        "\x1b[31mred\x7f",
        "back\\slash\t'q'",
        "\u00a0é\u0085",
        "\U000e0041!",
        "-rf",
        "",
    ],
)
def test_a_shell_reads_the_very_name(name: str) -> None:
    printed = subprocess.run(
        ["bash", "-c", f"printf %s {word(name)}"],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert printed.stdout.decode() == name


@pytest.mark.parametrize("engine", list(Engine))
@pytest.mark.parametrize("is_open", [True, False])
def test_hostile_names_are_one_argument_of_every_command(engine: Engine, is_open: bool) -> None:
    run = address(engine, external_id=EVIL, location=EVIL, run_id=EVIL, queue=EVIL, pod=EVIL)
    made = commands_for(
        RunAddress(**{**_fields(run), "is_open": is_open}), {"app": EVIL}, endpoint=EVIL
    )
    assert len(made) >= 4
    for command in made:
        words = shlex.split(command.line)
        assert any(EVIL in argument for argument in words)
        assert not any(argument in {"b/c?d=e", "a", "b"} for argument in words), command.line


def _fields(run: RunAddress) -> dict[str, Any]:
    return {name: getattr(run, name) for name in RunAddress.__dataclass_fields__}


def test_what_acts_is_offered_only_where_it_can() -> None:
    running = commands_for(address(is_open=True), {}, endpoint="h:7233")
    assert [c.label for c in running if c.acts] == [
        "Cancel",
        "Terminate",
        "Reset to the last workflow task",
    ]
    assert running[0] == Command(
        "Describe",
        "temporal workflow describe --namespace prod --address h:7233 --workflow-id=order-7 "
        "--run-id=r-1",
    )
    assert not any(c.acts for c in commands_for(address(Engine.KUBERNETES), {}))
