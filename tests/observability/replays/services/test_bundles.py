"""Registering workflow code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError
from observability.replays.models import WorkflowBundle
from observability.replays.services import bundles

pytestmark = pytest.mark.django_db


def test_a_directory_of_modules_is_imported_once_and_remembered(
    registered: Callable[[str], WorkflowBundle],
) -> None:
    made = registered("invoice_v1")
    assert (made.kind, made.workflows, made.isolated) == ("directory", ["Invoice"], True)
    assert made.confined is bundles.confines()
    entry = Entry.objects.get(action="bundle.register")
    assert (entry.object_label, entry.reason) == ("flows@invoice_v1", "for a test")


def test_a_wheel_is_imported_as_it_is(shelf: Callable[..., None], admin: Actor) -> None:
    shelf("flows", "1.4.2", "invoice_v1", wheel=True)
    made = bundles.register(
        name="flows", version="1.4.2", modules=["acme_flows.invoice"], actor=admin, reason="build"
    )
    assert (made.kind, made.workflows) == ("wheel", ["Invoice"])


def test_modules_of_the_server_need_no_directory(shelf: Callable[..., None], admin: Actor) -> None:
    del shelf
    with pytest.raises(DomainError, match="ModuleNotFoundError") as refused:
        bundles.register(
            name="flows", version="1", modules=["no_such_flows"], actor=admin, reason="build"
        )
    assert (refused.value.code, refused.value.field) == ("bundle_import", "modules")
    assert not WorkflowBundle.objects.exists()


def test_what_importing_raises_is_said_and_nothing_is_kept(
    shelf: Callable[..., None], admin: Actor
) -> None:
    shelf("flows", "1", "broken")
    with pytest.raises(DomainError, match="no database here"):
        bundles.register(name="flows", version="1", modules=["flows"], actor=admin, reason="build")
    assert not WorkflowBundle.objects.exists()
    assert not Entry.objects.filter(action="bundle.register").exists()


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("name", {"name": "Flows!"}),
        ("name", {"name": "f" * 300}),
        ("name", {"name": "f" * 5_000}),
        ("name", {"name": ".."}),
        ("version", {"version": "../../etc"}),
        ("version", {"version": "1" * 300}),
        ("modules", {"modules": ["os; import sys"]}),
        ("modules", {"modules": ["m" * 300]}),
        ("modules", {"modules": []}),
        ("reason", {"reason": " "}),
    ],
)
def test_bad_input_names_its_field(
    shelf: Callable[..., None], admin: Actor, field: str, arguments: dict[str, object]
) -> None:
    shelf("flows", "1", "invoice_v1")
    wanted = {"name": "flows", "version": "1", "modules": ["flows"], "reason": "build"} | arguments
    with pytest.raises(DomainError) as refused:
        bundles.register(actor=admin, **wanted)  # type: ignore[arg-type]  # one of them is wrong
    assert refused.value.field == field


def test_a_version_is_registered_once(
    registered: Callable[[str], WorkflowBundle], admin: Actor
) -> None:
    registered("invoice_v1")
    with pytest.raises(DomainError) as refused:
        bundles.register(
            name="flows", version="invoice_v1", modules=["flows"], actor=admin, reason="again"
        )
    assert (refused.value.code, refused.value.status) == ("bundle_exists", 409)


def test_files_that_changed_after_they_were_registered_are_refused(
    registered: Callable[[str], WorkflowBundle],
) -> None:
    made = registered("invoice_v1")
    (Path(settings.REPLAY_BUNDLES) / "flows" / "invoice_v1" / "flows.py").write_text("x = 1\n")
    with pytest.raises(DomainError, match="register a new version") as refused:
        bundles.opened(made)
    assert refused.value.code == "bundle_changed"


def test_a_bundle_is_retired_once(
    registered: Callable[[str], WorkflowBundle], admin: Actor
) -> None:
    made = registered("invoice_v1")
    assert bundles.retire(bundle=made, actor=admin, reason="replaced") is True
    assert bundles.retire(bundle=made, actor=admin, reason="replaced") is False
    assert Entry.objects.filter(action="bundle.retire").count() == 1
