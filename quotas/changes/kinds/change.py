"""What every kind of change says of itself: its title, who may make it, which rows it is about,
what it makes of a tenant's history, and how it is carried out.

A kind is one class in a module of this package; `registry` finds it there. Its title, its right and
`after` touch no row: they are tried without a database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from console.access.contracts import Permission
from console.audit.services import Actor
from quotas.changes.selectors.scope import ChangeScope
from quotas.enforcement.models import RolloutKind
from quotas.enforcement.services.rollouts import bump_generations
from quotas.plans.contracts import PlanTerms, TenantHistory
from tenants.models import Placement


@dataclass(frozen=True, slots=True)
class ApplyContext:
    """Who wants a change carried out, why and when."""

    actor: Actor
    reason: str
    at: datetime

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that all verbs share."""
        return {"actor": self.actor, "reason": self.reason, "at": self.at}


class ProposedChange:
    """One change, as plain values. Limits are integers in base units."""

    __slots__ = ()

    permission: ClassVar[Permission] = Permission.ADMINISTER
    """Who proposes, applies or discards it needs this. What was agreed is for administrators."""
    rollout_kind: ClassVar[RolloutKind] = RolloutKind.CHANGE
    takes_over: ClassVar[bool] = False
    """Whether it takes fields over from whoever owns them."""
    undoes_edits: ClassVar[bool] = False
    """Whether it writes over one-off edits even where the target leaves them alone."""
    removes: ClassVar[bool] = False
    """Whether it deletes what is there, so that no plan is no surprise."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The change that the checked fields of a REST body say. What they leave out has its
        default."""
        return cls(**values)

    def title(self) -> str:
        """One line that says what it does."""
        raise NotImplementedError

    def scope(self, now: datetime, /) -> ChangeScope:
        """The rows that it is about. Raises DomainError when it cannot be made as things stand: it
        names what is unknown, the plan that moved on (409), or that nothing would change."""
        raise NotImplementedError

    def concerns(self, history: TenantHistory, /) -> bool:
        """Whether it is about this tenant."""
        raise NotImplementedError

    def after(
        self, history: TenantHistory, _now: datetime, _terms: PlanTerms | None = None, /
    ) -> TenantHistory:
        """The history of a tenant that it concerns, once it was applied at the given moment. The
        terms are those of the plan version that a change of plan leads to. Kinds that change no
        intent leave the history as it is."""
        return history

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        """Writes intent and ledger, in the caller's transaction; returns the placements that have
        to follow."""
        raise NotImplementedError


def history_after(
    change: ProposedChange, history: TenantHistory, now: datetime, terms: PlanTerms | None = None
) -> TenantHistory:
    """The history as it will be once `change` was applied at `now`; one that it does not concern
    comes back as it is."""
    return change.after(history, now, terms) if change.concerns(history) else history


def new_intent(scope: ChangeScope) -> Sequence[Placement]:
    """Marks the tenants as changed: every placement of theirs has to follow."""
    bump_generations(tenant_ids=[tenant.pk for tenant in scope.tenants])
    return scope.placements
