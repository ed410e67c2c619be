"""Fields of a body: each takes only its own JSON type, and a refusal says what would be right.

DRF's own fields take 5 and true for texts and "5" for numbers; what is accepted here is what the
schema says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty

from console.audit.services import require_reason
from console.errors import DomainError

LARGEST_NUMBER = 2**31 - 1
LARGEST_ID = 2**63 - 1


class _Strict(serializers.Field):  # type: ignore[type-arg]  # a mixin for any kind of value
    """`right` says what the field takes, as in “use a text”."""

    right = "a value"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages["required"] = f"It is missing; send {self.right}."
        self.error_messages["null"] = f"null is not accepted; use {self.right}."

    def refuse(self, value: Any) -> NoReturn:
        """Refuses a value."""
        raise ValidationError(
            f"{str(value)[:80]!r} is not accepted; use {self.right}.", code="invalid"
        )


class Text(_Strict, serializers.CharField):
    """A text as it was sent: blanks stay, and an empty one is for the verb to judge."""

    right = "a text"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.refuse(data)
        text: str = super().to_internal_value(data)
        return text


class Reason(Text):
    """Why. It is kept with the change, for ever."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"help_text": "Why. It is kept with the change, for ever.", **kwargs})

    def run_validation(self, data: Any = empty) -> str:
        """The reason without surrounding blanks; one that is missing is an empty one."""
        text = super().run_validation("" if data is empty else data)
        try:
            return require_reason(text)
        except DomainError as error:
            raise ValidationError(error.message, code=error.code) from None


class Choice(_Strict, serializers.ChoiceField):
    """One of some texts."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
        self.right = ", ".join(str(choice) or '""' for choice in self.choices)
        self.error_messages["required"] = f"It is missing; send one of {self.right}."

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.refuse(data)
        return data


class Number(_Strict, serializers.IntegerField):
    """A whole number, 0 to 2^31 - 1 unless it is said otherwise."""

    def __init__(self, **kwargs: Any) -> None:
        bounds = {"min_value": 0, "max_value": LARGEST_NUMBER, **kwargs}
        self.right = f"a whole number from {bounds['min_value']}"
        if bounds["max_value"] < LARGEST_NUMBER:
            self.right += f" to {bounds['max_value']}"
        super().__init__(**bounds)

    def to_internal_value(self, data: Any) -> int:
        whole = isinstance(data, int) and not isinstance(data, bool)
        if not whole or not self.min_value <= data <= self.max_value:
            self.refuse(data)
        return int(data)


class Id(Number):
    """The id of a row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_ID, **kwargs})
        self.right = "an id"


class Flag(_Strict, serializers.BooleanField):
    """true or false."""

    right = "true or false"

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.refuse(data)
        return data


class JSONObject(_Strict, serializers.DictField):
    """An object of any fields; `child` says what their values are."""

    right = "an object"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.refuse(data)
        values: dict[str, Any] = super().to_internal_value(data)
        return values


class ListOf(_Strict, serializers.ListField):
    """A list; `child` says of what."""

    def __init__(self, **kwargs: Any) -> None:
        self.right = "a list"
        too_long = {"max_length": "At most {max_length} are accepted."}
        super().__init__(**{"error_messages": too_long, **kwargs})
        if isinstance(self.child, _Strict):
            self.right = f"a list, each {self.child.right}"

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.refuse(data)
        values: list[Any] = super().to_internal_value(data)
        return values
