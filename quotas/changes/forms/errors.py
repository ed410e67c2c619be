"""Refusals of the services, shown at the field that they are about."""

from __future__ import annotations

from collections.abc import Mapping

from django.forms import BaseForm

from console.errors import DomainError


def add_domain_error(
    form: BaseForm, error: DomainError, names: Mapping[str, str] | None = None
) -> None:
    """Every problem of `error` becomes an error of the form's field of that name (`names` renames),
    or of the form where it has no such field. The form must have been validated."""
    for problem in problems_of(error):
        name = (names or {}).get(problem["field"], problem["field"])
        form.add_error(name if name in form.fields else None, problem["message"])


def problems_of(error: DomainError) -> list[dict[str, str]]:
    """The {field, message} of every fault that the error lists; itself where it lists none."""
    listed = error.detail.get("problems")
    if listed:
        return list(listed)
    return [{"field": error.field, "message": error.message}]
