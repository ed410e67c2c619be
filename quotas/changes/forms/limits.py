"""A limit that differs from the plan: for some time (lease) or until it is ended (override)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from console.errors import DomainError
from quotas.changes.forms.fields import SlugsField, UtcMomentField
from quotas.changes.kinds.adjustments import GrantLease, SetOverride
from quotas.plans.limits import parse_key
from quotas.plans.rules.entered import read_limit

SPANS = (
    ("1", "for 1 hour"), ("4", "for 4 hours"), ("8", "for 8 hours"), ("24", "for 24 hours"),
    ("72", "for 3 days"), ("168", "for 7 days"), ("until", "until the time below"),
)  # fmt: skip
LEASE, OVERRIDE = "lease", "override"


class LimitForm(forms.Form):
    """One limit, its new value, and for how long."""

    key = forms.CharField(
        label="Limit",
        max_length=253,
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "list": "limit-keys",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )
    value = forms.CharField(
        label="New value",
        max_length=64,
        help_text="40, 500m, 96Gi, 20/s, 2h; 0 for none, “unlimited” for no limit.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    how = forms.ChoiceField(
        label="How long",
        choices=[(LEASE, "Lease: ends by itself"), (OVERRIDE, "Override: until somebody ends it")],
        initial=LEASE,
        widget=forms.RadioSelect,
    )
    span = forms.ChoiceField(label="Lease", choices=SPANS, initial="4", required=False)
    until = UtcMomentField(
        label="Until (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, may_override: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_override:
            # An operator may only lease: the choice is not offered, and not taken when sent.
            self.fields["how"].widget = forms.HiddenInput()
            self.fields["how"].choices = [(LEASE, "Lease")]  # type: ignore[attr-defined]  # a ChoiceField

    def clean(self) -> dict[str, Any]:
        """Reads key and value together, and works out the end of a lease."""
        cleaned: dict[str, Any] = super().clean() or {}
        self._read_limit(cleaned)
        if cleaned.get("how") == LEASE:
            self._read_end(cleaned)
        return cleaned

    def _read_limit(self, cleaned: dict[str, Any]) -> None:
        try:
            key = parse_key(cleaned.get("key", "").strip())
        except DomainError as error:
            if "key" not in self.errors:
                self.add_error("key", error.message)
            return
        cleaned["key"] = key.key
        if "value" not in cleaned:
            return
        try:
            cleaned["amount"] = read_limit(key, cleaned["value"])
        except DomainError as error:
            self.add_error("value", error.message)

    def _read_end(self, cleaned: dict[str, Any]) -> None:
        span = cleaned.get("span") or "until"
        until: datetime | None = cleaned.get("until")
        if span != "until":
            cleaned["until"] = timezone.now() + timedelta(hours=int(span))
        elif "until" in self.errors:
            return
        elif until is None:
            self.add_error("until", "Say until when, or choose for how long.")
        elif until <= timezone.now():
            self.add_error("until", f"{until:%Y-%m-%d %H:%M} UTC is over; choose a time to come.")

    def change(self, tenants: tuple[str, ...]) -> GrantLease | SetOverride:
        """What was asked for, for these tenants; the form must be valid."""
        key, amount = self.cleaned_data["key"], self.cleaned_data["amount"]
        if self.cleaned_data["how"] == OVERRIDE:
            return SetOverride(tenants, key, amount)
        return GrantLease(tenants, key, amount, self.cleaned_data["until"])


class ManyForm(forms.Form):
    """Several tenants."""

    tenants = SlugsField(help_text="One a line; add or remove some here.")


class ManyLimitForm(LimitForm, ManyForm):
    """One limit for several tenants."""

    field_order = ("tenants", "key", "value", "how", "span", "until")
