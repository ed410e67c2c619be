"""Reading the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from console.audit.models import ActorKind, Entry
from console.database.keyset import Page, keyset_page
from console.navigation import page_of

PAGE_SIZE = 50

_ICONS = {
    ActorKind.PERSON.value: "person",
    ActorKind.KEY.value: "key",
    ActorKind.LOOP.value: "loop",
    ActorKind.COMMAND.value: "command",
}
_WHY = 80


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One entry as the page shows it; `place` is empty when there is no page to go to.

    `why` is the reason, else the message, cut to one line; `exact` is the time in UTC.
    """

    entry: Entry
    place: str
    tenant_place: str
    icon: str
    why: str
    is_cut: bool
    exact: str
    has_values: bool


def search(entries: QuerySet[Entry], *, text: str) -> QuerySet[Entry]:
    """Entries whose reason, message or object contains `text`, or whose request id it is."""
    if not text:
        return entries
    return entries.filter(
        Q(reason__icontains=text)
        | Q(message__icontains=text)
        | Q(object_label__icontains=text)
        | Q(request_id=text)
    )


def ledger_page(entries: QuerySet[Entry], *, cursor: str) -> tuple[Page[Entry], list[LedgerRow]]:
    """One page, newest first."""
    page = keyset_page(entries, cursor=cursor, key=("at", "id"), size=PAGE_SIZE)
    return page, [_row(entry) for entry in page.rows]


def _row(entry: Entry) -> LedgerRow:
    why = entry.reason or entry.message
    return LedgerRow(
        entry=entry,
        place=page_of(entry.object_type, id=entry.object_id, label=entry.object_label),
        tenant_place=page_of("tenant", id="", label=entry.tenant) if entry.tenant else "",
        icon=_ICONS[entry.actor_kind],
        why=f"{why[:_WHY]}…" if len(why) > _WHY else why,
        is_cut=len(why) > _WHY,
        exact=entry.at.isoformat(" ", "seconds")[:19],
        has_values=entry.before is not None or entry.after is not None,
    )
