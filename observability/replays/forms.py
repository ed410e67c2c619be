"""What people type about bundles and replays. A form checks shape; the services decide."""

from __future__ import annotations

from typing import Any

from django import forms

from console.access.forms import ReasonForm
from observability.replays.models import WorkflowBundle, bundle_version
from observability.replays.services.replays import MOST_RUNS
from tenants.models import dns_label

_MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


class BundleForm(ReasonForm):
    """Registering one version of workflow code."""

    name = forms.CharField(
        max_length=63, validators=[dns_label], widget=forms.TextInput(attrs=_MONO)
    )
    version = forms.CharField(
        max_length=63,
        validators=[bundle_version],
        help_text="As your builds are named: 1.4.2 or build-42. Cannot be changed later.",
        widget=forms.TextInput(attrs=_MONO),
    )
    modules = forms.CharField(
        help_text="Python modules with @workflow.defn classes, one a line: acme_flows.invoice",
        widget=forms.Textarea(attrs={"rows": 3, **_MONO}),
    )
    field_order = ("name", "version", "modules", "reason")

    def clean_modules(self) -> list[str]:
        """The lines that say something."""
        lines = str(self.cleaned_data["modules"]).replace(",", "\n").splitlines()
        return [line.strip() for line in lines if line.strip()]


class RetireForm(ReasonForm):
    """Only the reason."""


class ReplayForm(forms.Form):
    """Many runs against one bundle."""

    bundle = forms.ModelChoiceField(queryset=WorkflowBundle.objects.none(), empty_label=None)
    q = forms.CharField(
        label="Runs",
        max_length=500,
        required=False,
        help_text="As in the search of the jobs: type:InvoiceFlow status:succeeded since:7d. "
        "Only Temporal runs are taken.",
        widget=forms.TextInput(attrs=_MONO),
    )
    last = forms.IntegerField(
        label="The newest",
        min_value=1,
        max_value=MOST_RUNS,
        initial=500,
        help_text="So many of them at most.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["bundle"].queryset = usable_bundles()  # type: ignore[attr-defined]  # a ModelChoiceField


class ReplayHereForm(forms.Form):
    """One run against one bundle."""

    bundle = forms.ModelChoiceField(queryset=WorkflowBundle.objects.none(), empty_label=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["bundle"].queryset = usable_bundles()  # type: ignore[attr-defined]  # a ModelChoiceField


def usable_bundles() -> Any:
    """Bundles that are not retired, the newest of each name first."""
    return WorkflowBundle.objects.filter(retired_at=None).order_by("name", "-created_at")
