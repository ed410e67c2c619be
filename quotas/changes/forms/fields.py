"""Fields that several forms share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from console.errors import DomainError
from tenants.rules import check_labels


class LabelsTextField(forms.CharField):
    """Labels, one `name=value` a line; a mapping of text by text."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "mono", "placeholder": "team=blue"})

    def to_python(self, value: Any) -> Any:
        """The mapping; an error names the line."""
        labels: dict[str, str] = {}
        for number, line in enumerate(str(value or "").splitlines(), start=1):
            if not line.strip():
                continue
            name, sign, text = (part.strip() for part in line.partition("="))
            if not sign or not name:
                raise ValidationError(
                    f"Line {number}: {line.strip()[:60]!r} is not a label; write name=value."
                )
            if name in labels:
                raise ValidationError(f"Line {number}: {name} is there twice; keep one.")
            labels[name] = text
        try:
            return check_labels(labels)
        except DomainError as error:
            raise ValidationError(error.message) from error

    def prepare_value(self, value: Any) -> Any:
        """The lines of a mapping; what was typed stays as it was."""
        if isinstance(value, dict):
            return "\n".join(f"{name}={text}" for name, text in value.items())
        return value


class SlugsField(forms.CharField):
    """Tenants, one slug a line (or separated by commas or blanks); a tuple without repetitions."""

    widget = forms.Textarea(attrs={"rows": 4, "class": "mono"})

    def to_python(self, value: Any) -> Any:
        """The slugs in the order they were written."""
        return tuple(dict.fromkeys(str(value or "").replace(",", " ").split()))

    def validate(self, value: Any) -> None:
        """At least one."""
        if not value:
            raise ValidationError("Name at least one tenant.")

    def prepare_value(self, value: Any) -> Any:
        """One a line."""
        return value if isinstance(value, str) else "\n".join(value or ())


class UtcMomentField(forms.DateTimeField):
    """A moment, in UTC from here on. One that UTC has no name for is refused."""

    def to_python(self, value: Any) -> datetime | None:
        """Raises ValidationError naming the value."""
        moment = super().to_python(value)
        try:
            return None if moment is None else moment.astimezone(UTC)
        except OverflowError:  # the first or last day that there is, in a zone behind or ahead
            raise ValidationError(
                f"{str(value)[:80]!r} is not accepted; use a time such as 2026-11-22T18:00."
            ) from None


class ChoiceOfRow(forms.ChoiceField):
    """A choice among rows that are looked up when the form is shown."""

    def offer(self, choices: list[tuple[str, str]], empty: str) -> None:
        """Sets what can be chosen; `empty` is what the first, empty line says."""
        self.choices = [("", empty), *choices]
