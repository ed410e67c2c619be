"""What people type about searches. A form checks shape."""

from __future__ import annotations

from django import forms


class SaveForm(forms.Form):
    """A search under a name."""

    name = forms.CharField(max_length=60)
    q = forms.CharField(max_length=1000, label="Search")
