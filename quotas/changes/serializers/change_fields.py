"""Fields of a change as REST takes them: texts as people write them become values in base units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from console.errors import DomainError
from console.rest.fields import Choice, Id, JSONObject, ListOf, Text
from quotas.changes.rules import fields
from quotas.changes.rules.fields import LONGEST_TEXT, MOST_ENTRIES
from quotas.changes.rules.policy import policy_changes
from quotas.plans.limits import parse_key
from quotas.plans.rules.soundness import parse_limits
from tenants.models import Sharing


class TextField(Text):
    """Any text, without blanks around it."""

    right = f"a text of up to {LONGEST_TEXT} characters"

    def __init__(self, **kwargs: Any) -> None:
        messages = {
            "blank": f"It is empty; use {self.right}.",
            "max_length": f"It is too long; use {self.right}.",
        }
        kwargs = {"allow_blank": True, **kwargs}
        super().__init__(
            trim_whitespace=True, max_length=LONGEST_TEXT, error_messages=messages, **kwargs
        )


class NameField(TextField):
    """A text that is not empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": False, **kwargs})


class NamesField(ListOf):
    """Slugs, each once."""

    child: Any = NameField()

    def __init__(self, **kwargs: Any) -> None:
        kwargs = {"help_text": "Slugs of tenants.", **kwargs}
        messages = {"min_length": "It is empty; name at least one entry."}
        super().__init__(min_length=1, max_length=MOST_ENTRIES, error_messages=messages, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return tuple(dict.fromkeys(super().to_internal_value(data)))


class NumberField(Id):
    """The number of a row or of a version."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.right = "a whole number from 1"
        self.error_messages["required"] = f"It is missing; send {self.right}."


class NumbersField(NamesField):
    """Numbers of rows, each once."""

    child = NumberField()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"help_text": "Ids of placements.", **kwargs})


class LimitNameField(NameField):
    """The key of a limit, in any spelling."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return parse_key(text).key
        except DomainError as error:
            raise ValidationError(error.message, code=error.code) from error


class AmountField(Text):
    """The value of a limit as it was written: what it means depends on the limit's key."""

    right = "a number, a text such as 96Gi, or null"

    def __init__(self, **kwargs: Any) -> None:
        text = "As people write it: 40, 96Gi, 20/s; null or unlimited for no limit."
        super().__init__(**{"allow_null": True, "help_text": text, **kwargs})

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, str | int | float):
            self.refuse(data)
        return data


class LimitsField(JSONObject):
    """Limits by key, as people write them; base units by normalised key."""

    child = AmountField()

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            return parse_limits(super().to_internal_value(data))
        except DomainError as error:
            raise ValidationError(
                {
                    problem["field"]: [_without(problem["field"], problem["message"])]
                    for problem in error.detail["problems"]
                }
            ) from error


class PolicyField(JSONObject):
    """What a plan says beyond numbers, as far as it is to change: the fields of a `Policy` that are
    said. The rest comes from the version that was edited."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        policy = super().to_internal_value(data)
        try:
            return policy_changes(policy)
        except DomainError as error:
            path = error.field.removeprefix("policy").lstrip(".")
            message = _without(error.field, error.message)
            raise ValidationError({path: [message]} if path else [message]) from error


class MomentField(serializers.DateTimeField):
    """A time with its zone, in UTC from here on: one moment is told in one way everywhere."""

    def to_internal_value(self, value: Any) -> datetime:
        remedy = "use a time with its zone such as 2026-11-22T18:00:00Z"
        shown = f"{str(value)[:80]!r} is not accepted"
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValidationError(f"{shown}; {remedy}.") from None
        if moment.tzinfo is None:
            raise ValidationError(f"{shown}; it has no time zone; {remedy}.")
        try:
            return moment.astimezone(UTC)
        except OverflowError:  # the first or last day that there is, in a zone behind or ahead
            raise ValidationError(f"{shown}; {remedy}.") from None


class LabelsField(JSONObject):
    """Labels by name."""

    child = Text()
    right = "an object of texts"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping) or not all(
            isinstance(part, str) for pair in data.items() for part in pair
        ):
            self.refuse(data)
        return dict(data)


class SharingField(Choice):
    """Whether a placement is a tenant's own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Sharing.choices, **kwargs)


FIELDS: Final[dict[Any, Any]] = {
    fields.Text: TextField,
    fields.Name: NameField,
    fields.Names: NamesField,
    fields.Number: NumberField,
    fields.Numbers: NumbersField,
    fields.MaybeNumber: NumberField,
    fields.LimitName: LimitNameField,
    fields.Amount: AmountField,
    fields.Limits: LimitsField,
    fields.NextPolicy: PolicyField,
    fields.Moment: MomentField,
    fields.Labels: LabelsField,
    fields.SharingName: SharingField,
}
"""How REST takes each type of a change's fields."""


def _without(field: str, message: str) -> str:
    """The message without the name of the field in front, which the problem says already."""
    return message.removeprefix(f"{field}: ")
