"""What the verbs of every app do with rows: validate them, and swap them against a generation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Model
from django.utils import timezone

from console.errors import DomainError


def require_clean(row: Model) -> None:
    """Runs the model's own validation; the first fault as a DomainError that names the field, the
    value and what would be right ("taken", 409, where somebody else has it already)."""
    try:
        row.full_clean()
    except ValidationError as error:
        field, problems = next(iter(error.error_dict.items()))
        problem = problems[0]
        sentences = " ".join(problem.messages)
        taken = problem.code in {"unique", "unique_together"} or "already" in sentences
        name = "" if field == "__all__" else field
        value = f"{getattr(row, name)!r}: " if name else ""
        raise DomainError(
            "taken" if taken else "invalid",
            f"{name.replace('_', ' ').capitalize()} {value}{sentences}".strip(),
            field=name,
            status=409 if taken else 422,
        ) from None


def update_generation(
    row: Any, *, expected: int, updates: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Compare-and-swap on the generation; (before, after) of the fields that changed, None when
    none did. A value of None leaves its field as it is. The row needs `slug`, `generation` and
    `updated_at`. Raises DomainError("stale", 409)."""
    wanted = {name: value for name, value in updates.items() if value is not None}
    row.refresh_from_db()
    require_generation(row, expected)
    before = values(row, wanted)
    changed = {name: value for name, value in wanted.items() if before[name] != value}
    if not changed:
        return None
    for name, value in changed.items():
        setattr(row, name, value)
    require_clean(row)
    swapped = (
        type(row)
        ._default_manager.filter(pk=row.pk, generation=expected)
        .update(**changed, generation=F("generation") + 1, updated_at=timezone.now())
    )
    row.refresh_from_db()
    if swapped != 1:
        require_generation(row, expected)
    return {name: before[name] for name in changed}, changed


def require_generation(row: Any, expected: int) -> None:
    """Raises DomainError("stale", 409) unless the row is at the generation that was edited."""
    if row.generation != expected:
        raise DomainError(
            "stale",
            f"{row.slug} was changed meanwhile (you edited generation {expected}, it is now "
            f"{row.generation}); load it again and repeat your change.",
            status=409,
            detail={"expected": expected, "generation": row.generation},
        )


def values(row: Any, names: Collection[str]) -> dict[str, Any]:
    """The named fields of a row, as the ledger keeps them."""
    return {name: getattr(row, name) for name in names}
