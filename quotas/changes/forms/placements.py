"""What can be said about one placement beside its limits."""

from __future__ import annotations

from django import forms

from console.access.forms import ReasonForm
from tenants.models import DriftPolicy, Placement

_FOLLOW = "follow"


class DriftPolicyForm(ReasonForm):
    """What to do where somebody changed our objects by hand."""

    policy = forms.ChoiceField(label="Drift here")
    field_order = ("policy", "reason")

    def offer(self, placement: Placement) -> None:
        """Offers the target's policy by name, and each policy of the placement's own."""
        policy = self.fields["policy"]
        follows = f"As {placement.target.slug} says ({placement.target.drift_policy})"
        policy.choices = [(_FOLLOW, follows), *DriftPolicy.choices]  # type: ignore[attr-defined]  # a ChoiceField
        policy.initial = placement.drift_policy or _FOLLOW

    def clean_policy(self) -> str:
        """As the placement stores it: empty follows the target."""
        policy = str(self.cleaned_data["policy"])
        return "" if policy == _FOLLOW else policy
