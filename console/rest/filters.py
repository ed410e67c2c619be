"""Filters that REST lists of every app share."""

from __future__ import annotations

from typing import Any

import django_filters as df
from django import forms

_WORDS = {"true": True, "1": True, "false": False, "0": False}


class FlagField(forms.NullBooleanField):
    """true or false; anything else is refused, not taken for “either”."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> bool | None:  # type: ignore[override]  # as NullBooleanField
        """Raises ValidationError naming the value."""
        if value in (None, ""):
            return None
        flag = _WORDS.get(str(value).lower())
        if flag is None:
            raise forms.ValidationError(
                f"{str(value)[:80]!r} is not accepted; use true or false.", code="invalid"
            )
        return flag


class FlagFilter(df.BooleanFilter):
    """A filter by true or false."""

    field_class = FlagField
