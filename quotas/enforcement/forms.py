"""What people send to the rollout pages."""

from __future__ import annotations

from typing import Any

from django import forms

from console.numbers import whole_number

MIN_REASON = 3


class GroupActionForm(forms.Form):
    """One action on a group of items: retry, take_over or give_up, with a reason."""

    action = forms.ChoiceField(
        choices=[("retry", "Retry"), ("take_over", "Take over"), ("give_up", "Give up")]
    )
    items = forms.CharField(help_text="Item numbers, separated by commas.")
    reason = forms.CharField(
        min_length=MIN_REASON,
        max_length=1000,
        error_messages={
            "required": "Reason: say why, in at least 3 characters; it goes to the ledger.",
            "min_length": "Reason: say why, in at least 3 characters; it goes to the ledger.",
        },
    )

    def clean_items(self) -> list[int]:
        """The item numbers as integers."""
        raw: Any = self.cleaned_data["items"]
        read = [whole_number(part.strip()) for part in raw.split(",") if part.strip()]
        numbers = [number for number in read if number is not None]
        if not numbers or len(numbers) < len(read):
            raise forms.ValidationError("Items: send item numbers separated by commas.")
        return numbers
