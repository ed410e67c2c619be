"""Filters that REST lists of every app share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django_filters as df
from django import forms
from django_filters.fields import IsoDateTimeField

from console.numbers import whole_number

_WORDS = {"true": True, "1": True, "false": False, "0": False}


def _refusal(value: Any, right: str) -> forms.ValidationError:
    """The value apart from the words: django-filter formats these, and it may hold a per cent."""
    return forms.ValidationError(
        "%(value)r is not accepted; use %(right)s.",
        code="invalid",
        params={"value": str(value)[:80], "right": right},
    )


class FlagField(forms.NullBooleanField):
    """true or false; anything else is refused, not taken for “either”."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> bool | None:  # type: ignore[override]  # as NullBooleanField
        """Raises ValidationError naming the value."""
        if value in (None, ""):
            return None
        flag = _WORDS.get(str(value).lower())
        if flag is None:
            raise _refusal(value, "true or false")
        return flag


class FlagFilter(df.BooleanFilter):
    """A filter by true or false."""

    field_class = FlagField


class IdField(forms.IntegerField):
    """The id of a row. Numbers that no column holds are refused before a database has to."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> int | None:
        """Raises ValidationError naming the value."""
        if value in (None, ""):
            return None
        number = whole_number(str(value))
        if number is None:
            raise _refusal(value, "an id")
        return number


class IdFilter(df.NumberFilter):
    """A filter by the id of a row."""

    field_class = IdField


class MomentFormField(IsoDateTimeField):
    """A moment in ISO 8601, in UTC. One that no calendar has there is refused."""

    def to_python(self, value: Any) -> datetime | None:
        """Raises ValidationError naming the value."""
        try:
            moment: datetime | None = super().to_python(value)
            return None if moment is None else moment.astimezone(UTC)
        except (forms.ValidationError, OverflowError, ValueError):
            raise _refusal(value, "a moment such as 2026-11-22T18:00:00Z") from None


class MomentFilter(df.IsoDateTimeFilter):
    """A filter by a moment."""

    field_class = MomentFormField
