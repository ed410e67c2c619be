"""Each kind of change stands in one place, and every place is known."""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import fields
from importlib import import_module

import pytest

from console.access.contracts import Permission
from console.errors import DomainError
from quotas.changes import kinds
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.payload import kind_named
from quotas.changes.kinds.registry import KINDS, MODULES, permission_for
from quotas.changes.models import Proposal
from quotas.enforcement.models import RolloutKind

WITHOUT_KINDS = {"change", "payload", "registry"}


def test_every_module_of_the_package_is_looked_into() -> None:
    names = {module.name for module in pkgutil.iter_modules(kinds.__path__)}
    assert {module.__name__.rpartition(".")[2] for module in MODULES} == names - WITHOUT_KINDS


def test_every_class_of_a_change_is_in_the_registry() -> None:
    classes = {
        kind
        for module in pkgutil.iter_modules(kinds.__path__)
        for _, kind in inspect.getmembers(
            import_module(f"{kinds.__name__}.{module.name}"), inspect.isclass
        )
        if issubclass(kind, ProposedChange) and kind is not ProposedChange
    }
    assert classes == set(KINDS.values())
    assert len(classes) >= 14


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_a_kind_says_everything_of_itself(kind: type[ProposedChange]) -> None:
    assert [item.name for item in fields(kind)]  # type: ignore[arg-type]  # a dataclass, all of them
    assert (kind.__doc__ or "").strip().endswith(".")
    assert not (kind.__doc__ or "").startswith(f"{kind.__name__}(")
    assert kind.permission in (Permission.OPERATE, Permission.ADMINISTER)
    assert kind.rollout_kind in RolloutKind
    for name in ("title", "scope", "concerns", "carry_out"):
        assert getattr(kind, name) is not getattr(ProposedChange, name), name
    assert len(kind.__name__) <= (Proposal._meta.get_field("kind").max_length or 0)


def test_a_kind_that_is_none_is_for_nobody_below_administrators() -> None:
    assert permission_for("Explode") == Permission.ADMINISTER
    with pytest.raises(DomainError, match="use one of PublishPlan") as refused:
        kind_named("Explode")
    assert refused.value.code == "unknown_change"
