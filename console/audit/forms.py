"""The ledger's filters, as they stand in the URL."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet

from console.access.models import User
from console.audit.models import Entry, Outcome
from console.audit.selectors import search
from console.navigation import types_of

_EXACT = ("actor", "tenant", "outcome", "object_id")


class LedgerFilter(forms.Form):
    """Every field is optional; a filter that cannot be read is said, and the rest still applies."""

    text = forms.CharField(
        required=False,
        label="Text",
        max_length=200,
        widget=forms.TextInput(
            attrs={"placeholder": "in reason, message, object; or a request id"}
        ),
    )
    actor = forms.CharField(required=False, max_length=200)
    action = forms.CharField(
        required=False, max_length=60, widget=forms.TextInput(attrs={"placeholder": "plan."})
    )
    tenant = forms.CharField(required=False, max_length=63)
    object_type = forms.CharField(
        required=False,
        label="Object",
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "lease"}),
    )
    object_id = forms.CharField(required=False, widget=forms.HiddenInput)
    outcome = forms.ChoiceField(required=False, choices=[("", "any"), *Outcome.choices])
    since = forms.DateField(
        required=False, label="From (UTC)", widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        required=False, label="To (UTC)", widget=forms.DateInput(attrs={"type": "date"})
    )

    def entries(self, user: User) -> QuerySet[Entry]:
        """The entries that `user` may know of and every readable filter lets through."""
        self.full_clean()
        wanted: dict[str, Any] = self.cleaned_data
        entries = search(Entry.objects.visible_to(user), text=wanted.get("text", ""))
        entries = entries.filter(**{name: wanted[name] for name in _EXACT if wanted.get(name)})
        if wanted.get("object_type"):
            entries = entries.filter(object_type__in=types_of(wanted["object_type"]))
        if wanted.get("action"):
            entries = entries.filter(action__startswith=wanted["action"])
        if wanted.get("since"):
            entries = entries.filter(at__gte=datetime.combine(wanted["since"], time.min, UTC))
        if (until := wanted.get("until")) and until < date.max:
            end = until + timedelta(days=1)
            entries = entries.filter(at__lt=datetime.combine(end, time.min, UTC))
        return entries

    def active(self) -> list[tuple[str, str, Any]]:
        """What is filtered on: parameter, label, value."""
        labels = {name: str(field.label or name) for name, field in self.fields.items()}
        return [
            (name, labels[name].lower(), self.data[name])
            for name in self.fields
            if self.data.get(name)
        ]
