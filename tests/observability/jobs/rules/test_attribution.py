"""Whose run it is."""

from __future__ import annotations

import pytest

from observability.engines.contracts import TenantSource
from observability.jobs.rules.attribution import Attributed, Owners
from tenants.contracts import PlacementRef

TENANTS = {"acme": 1, "globex": 2}
PLACES = (
    PlacementRef(1, "acme", "t", "temporal", "acme-queue"),
    PlacementRef(2, "globex", "t", "temporal", "shared", "shared", "globex"),
)


def whose(declared: str, place: str, key: str = "", *, place_first: bool = False) -> Attributed:
    owners = Owners.of(PLACES, TENANTS, place_first=place_first)
    return owners.attribute(
        owners.declared(declared), location="default", queue=place, fairness_key=key
    )


def test_what_was_declared_counts_before_the_queue() -> None:
    assert whose("globex", "acme-queue") == Attributed(2, TenantSource.DECLARED)


@pytest.mark.parametrize("declared", ["", "nobody"])
def test_else_the_queue_and_its_fairness_key_tell(declared: str) -> None:
    assert whose(declared, "acme-queue") == Attributed(1, TenantSource.PLACEMENT)
    assert whose(declared, "shared", "globex") == Attributed(2, TenantSource.PLACEMENT)


def test_a_namespace_of_ones_own_tells_where_the_queue_does_not() -> None:
    owners = Owners.of(
        [*PLACES, PlacementRef(3, "globex", "t", "temporal", "globex-namespace")], TENANTS
    )

    def placed(queue: str) -> int | None:
        return owners.placed(location="globex-namespace", queue=queue, fairness_key="")

    assert placed("any-queue") == 2
    assert placed("acme-queue") == 1
    assert owners.placed(location="default", queue="any-queue", fairness_key="") is None


def test_what_nothing_tells_of_is_unattributed() -> None:
    assert whose("", "elsewhere") == Attributed(None, TenantSource.NONE)
    assert whose("", "shared", "stranger") == Attributed(None, TenantSource.NONE)


def test_in_a_namespace_a_label_cannot_name_somebody_else() -> None:
    assert whose("globex", "acme-queue", place_first=True) == Attributed(1, TenantSource.PLACEMENT)
    assert whose("globex", "nobodys", place_first=True) == Attributed(2, TenantSource.DECLARED)
