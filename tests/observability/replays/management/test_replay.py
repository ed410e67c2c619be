"""manage.py replay: what CI of a workflow team runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from console.audit.services import Actor
from console.clients.temporal.history_documents import history_json
from console.errors import DomainError
from observability.replays.models import WorkflowBundle
from observability.replays.services import bundles
from tests.console.clients.temporal.replay.test_runner import BUNDLES
from tests.observability.jobs.factories import make_run

pytestmark = [pytest.mark.django_db, pytest.mark.temporal]


@pytest.fixture
def exported(tmp_path: Path, invoice_history: bytes) -> str:
    path = tmp_path / "invoice.json"
    path.write_bytes(history_json(invoice_history))
    return str(path)


def test_an_exported_history_replays_against_a_checkout(exported: str) -> None:
    out = StringIO()
    call_command("replay", exported, "--module", "invoice_v1", "--path", BUNDLES, stdout=out)
    assert "1 of 1 deterministic" in out.getvalue()


def test_a_divergence_ends_with_status_1_and_says_where(exported: str) -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("replay", exported, "--module", "invoice_v2", "--path", BUNDLES, stdout=out)
    assert ended.value.code == 1
    assert "the history has: schedule activity do (id receipt)" in out.getvalue()
    assert "the code would: schedule activity do (id e-mail)" in out.getvalue()


def test_recorded_runs_replay_against_a_registered_bundle(
    registered: Callable[[str], WorkflowBundle], histories: dict[int, object]
) -> None:
    registered("invoice_v1")
    runs = [make_run(type="Invoice") for _ in range(2)]
    out = StringIO()
    arguments = ("--bundle", "flows@invoice_v1", "--query", "type:Invoice", "--json")
    call_command("replay", *arguments, stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {line["verdict"] for line in lines} == {"deterministic"}
    assert len(lines) == len(runs)


def test_names_do_not_act_on_the_terminal_and_what_is_left_out_is_said(
    registered: Callable[[str], WorkflowBundle], histories: dict[int, object]
) -> None:
    registered("invoice_v1")
    make_run(type="Invoice", external_id="\x1b[2Jclean\u202e")
    histories[make_run(type="Invoice", external_id="\x1b]0;gone").pk] = DomainError(
        "no_history", "Removed after its retention."
    )
    out, err = StringIO(), StringIO()
    arguments = ("--bundle", "flows@invoice_v1", "--query", "type:Invoice")
    call_command("replay", *arguments, stdout=out, stderr=err)
    assert "⟨U+001B⟩[2Jclean⟨U+202E⟩" in out.getvalue()
    assert "1 of 1 deterministic" in out.getvalue()
    assert "left out: ⟨U+001B⟩]0;gone" in err.getvalue()
    assert "Removed after its retention." in err.getvalue()
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_a_retired_bundle_is_not_used(
    registered: Callable[[str], WorkflowBundle], admin: Actor
) -> None:
    bundles.retire(bundle=registered("invoice_v1"), actor=admin, reason="replaced")
    with pytest.raises(CommandError, match="is retired"):
        call_command("replay", "--bundle", "flows@invoice_v1", "--query", "type:Invoice")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bundle", "flows@1"), "There is no bundle flows@1"),
        ((), "Say which code"),
        (("--module", "flows", "--path", "/nowhere"), "no such file or directory"),
        (("--module", "invoice_v1", "--path", BUNDLES, "/nowhere.json"), "No such file"),
        (("--module", "invoice_v1", "--path", BUNDLES, __file__), "not a history as JSON"),
        (("--module", "broken", "--path", BUNDLES, __file__), "no database here"),
        (("--module", "invoice_v1", "--path", BUNDLES), "nothing was replayed"),
    ],
)
def test_what_cannot_be_replayed_ends_with_status_2(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        call_command("replay", *arguments, stdout=StringIO())
    assert refused.value.returncode == 2
