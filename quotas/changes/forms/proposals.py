"""Applying a proposal."""

from __future__ import annotations

from django import forms

from console.access.forms import ReasonForm


class ApplyForm(ReasonForm):
    """The reason, the preview that was read, and where something is deleted the name typed."""

    fingerprint = forms.CharField(max_length=64, widget=forms.HiddenInput, required=False)
    confirm = forms.CharField(max_length=63, required=False)
