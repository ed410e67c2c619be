"""What apps offer to the frame."""

from __future__ import annotations

import pytest
from django.urls import reverse

from console.navigation import entries, page_of, types_of


def test_every_app_has_its_place_in_the_rail() -> None:
    assert [(entry.label, reverse(entry.view)) for entry in entries()] == [
        ("Overview", "/"),
        ("Tenants", "/tenants/"),
        ("Plans", "/plans/"),
        ("Rollouts", "/rollouts/"),
        ("Targets", "/targets/"),
        ("Jobs", "/jobs/"),
        ("Audit", "/audit/"),
    ]


def test_no_two_entries_share_a_shortcut_or_a_place() -> None:
    assert len({entry.key for entry in entries()}) == len(entries())
    assert len({entry.place for entry in entries()}) == len(entries())


@pytest.mark.parametrize(
    ("object_type", "url"),
    [
        ("tenant", "/tenants/acme/"),
        ("plan", "/plans/acme/"),
        ("target", "/targets/acme/"),
        ("rollout", "/rollouts/7/"),
        ("job", "/jobs/7/"),
        ("action", "/jobs/actions/7/"),
        ("order", "/jobs/actions/7/"),  # what entries of before called an action
        ("token", ""),
    ],
)
def test_the_ledger_knows_the_page_of_an_object(object_type: str, url: str) -> None:
    assert page_of(object_type, id="7", label="acme") == url


def test_a_type_that_was_renamed_has_both_names_in_the_ledger() -> None:
    assert types_of("action") == types_of("order") == ("action", "order")
    assert types_of("plan") == ("plan",)
    assert types_of("no such type") == ("no such type",)


def test_an_object_whose_name_fits_no_page_has_none() -> None:
    assert page_of("tenant", id="", label="not / a slug") == ""
