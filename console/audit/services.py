"""Writing to the ledger: the only verb there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec

from django.utils import timezone

from console.access.models import User
from console.audit.models import ActorKind, Entry, Outcome
from console.errors import DomainError
from console.request import current_request_id

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `user` is set for people and for tokens (the token's owner)."""

    kind: ActorKind
    name: str
    user: User | None = None

    @classmethod
    def person(cls, user: User) -> Actor:
        """A signed-in person."""
        return cls(ActorKind.PERSON, user.get_username(), user)

    @classmethod
    def key(cls, user: User, token_name: str) -> Actor:
        """An API token acting for its owner."""
        return cls(ActorKind.KEY, f"{user.get_username()}/{token_name}", user)

    @classmethod
    def loop(cls, name: str) -> Actor:
        """One of Headroom's own loops, e.g. "sweep"."""
        return cls(ActorKind.LOOP, name)

    @classmethod
    def command(cls, name: str) -> Actor:
        """A management command, run by whoever has a shell."""
        return cls(ActorKind.COMMAND, name)


SHORTEST_REASON = 3


def require_reason(reason: str) -> str:
    """The reason without surrounding blanks; a DomainError when there is none worth the name."""
    text = reason.strip()
    if len(text) < SHORTEST_REASON:
        raise DomainError(
            "reason_required",
            f"Say why in at least {SHORTEST_REASON} characters: the reason stays in the ledger.",
            field="reason",
        )
    return text


def build(
    *,
    actor: Actor,
    action: str,
    object_type: str,
    object_id: object,
    object_label: str,
    tenant: str = "",
    before: Any = None,
    after: Any = None,
    reason: str = "",
    outcome: str = Outcome.DONE,
    message: str = "",
    at: datetime | None = None,
) -> Entry:
    """An entry that is not yet written, for callers that write many at once with `record_all`."""
    return Entry(
        at=at or timezone.now(),
        actor_kind=actor.kind,
        actor=actor.name,
        user=actor.user,
        action=action,
        object_type=object_type,
        object_id=str(object_id),
        object_label=object_label[:255],
        tenant=tenant,
        before=before,
        after=after,
        reason=reason,
        request_id=current_request_id.get(),
        outcome=outcome,
        message=message,
    )


def _appending(make: Callable[P, Entry]) -> Callable[P, Entry]:
    """Whatever makes an entry, as what writes it too."""

    def append(*args: P.args, **kwargs: P.kwargs) -> Entry:
        entry = make(*args, **kwargs)
        entry.save(force_insert=True)
        return entry

    return append


record = _appending(build)
"""Appends one entry that `build` makes, in the caller's transaction: what is rolled back was not
done."""


def record_all(entries: Sequence[Entry]) -> None:
    """Appends many entries made by `build` in a few statements."""
    Entry.objects.bulk_create(entries, batch_size=500)
