"""A target: what it is, where it is, where its credential is."""

from __future__ import annotations

from typing import Any

import yaml
from django import forms
from django.core.exceptions import ValidationError

from console.access.forms import ReasonForm
from console.errors import DomainError
from quotas.plans.contracts import Unit
from quotas.plans.quantities import format_amount, parse_amount
from tenants.models import DriftPolicy, dns_label

CREDENTIALS = (
    "Where the credential is, never the secret itself: in-cluster · "
    "kubeconfig:/etc/headroom/prod.kubeconfig#prod-gke · env:TEMPORAL_API_KEY · "
    "file:/var/run/secrets/temporal-key"
)
_TEMPORAL_OWN = ("namespace", "queues")


class TargetForm(ReasonForm):
    """Adding a target, or changing everything of it but its short name and kind."""

    slug = forms.CharField(
        label="Short name",
        max_length=63,
        validators=[dns_label],
        help_text="Cannot be changed later.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    name = forms.CharField(max_length=120, required=False, help_text="Empty: the short name.")
    kind = forms.ChoiceField(help_text="Cannot be changed later.")
    endpoint = forms.CharField(
        max_length=300,
        required=False,
        help_text="HOST:PORT of a Temporal server; empty for Kubernetes, whose credential says it.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    credential = forms.CharField(
        max_length=300,
        required=False,
        help_text=CREDENTIALS,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    namespace = forms.CharField(
        label="Temporal namespace",
        max_length=255,
        required=False,
        help_text="Empty: “default”.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    queues = forms.CharField(
        label="Shared task queues",
        required=False,
        help_text="One a line: name, the rate that fairness weight 1 means, the most for all "
        "together. “jobs-shared 10/s 100/s”; rates may be left out.",
        widget=forms.Textarea(
            attrs={"rows": 3, "class": "mono", "placeholder": "jobs-shared 10/s 100/s"}
        ),
    )
    more = forms.CharField(
        label="Further options",
        required=False,
        help_text="YAML or JSON, e.g. tls: true or create_namespace: true. No secrets.",
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono"}),
    )
    drift_policy = forms.ChoiceField(
        label="When somebody else changes our objects",
        choices=DriftPolicy.choices,
        initial=DriftPolicy.HEAL,
    )
    concurrency = forms.IntegerField(
        min_value=1,
        max_value=128,
        initial=16,
        help_text="How many calls may be under way at once.",
    )
    enabled = forms.BooleanField(
        required=False, initial=True, help_text="A disabled target is neither read nor written."
    )
    generation = forms.IntegerField(widget=forms.HiddenInput, required=False)

    field_order = (
        "slug", "name", "kind", "endpoint", "credential", "namespace", "queues", "more",
        "drift_policy", "concurrency", "enabled", "generation", "reason",
    )  # fmt: skip

    def __init__(
        self, *args: Any, kinds: list[tuple[str, str]], is_new: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]  # a ChoiceField
        if not is_new:
            for name in ("slug", "kind"):
                self.fields[name].disabled = True

    def clean_queues(self) -> dict[str, dict[str, int]]:
        """Shared queues by name; rates in milli-requests/s."""
        queues: dict[str, dict[str, int]] = {}
        for number, line in enumerate(self.cleaned_data["queues"].splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            if len(words) > 3 or words[0] in queues:
                raise ValidationError(
                    f"Line {number}: {line.strip()[:60]!r} is not accepted; write each queue once: "
                    "its name, then up to two rates such as 10/s."
                )
            queues[words[0]] = _rates(number, words[1:])
        return queues

    def clean_more(self) -> dict[str, Any]:
        """A mapping that leaves alone what has a field of its own."""
        try:
            document = yaml.safe_load(self.cleaned_data["more"] or "{}")
        except yaml.YAMLError as error:
            where = getattr(error, "problem_mark", None)
            line = f" in line {where.line + 1}" if where else ""
            raise ValidationError(f"This is neither YAML nor JSON{line}.") from error
        if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
            raise ValidationError("Use a mapping such as tls: true.")
        if twice := [name for name in _TEMPORAL_OWN if name in document]:
            raise ValidationError(f"{twice[0]} has a field of its own above; say it there.")
        return document

    def given(self) -> dict[str, Any]:
        """The fields of the target as the services take them; the form must be valid."""
        said = self.cleaned_data
        names = ("endpoint", "credential", "drift_policy", "concurrency", "enabled")
        return {
            "name": said["name"].strip() or said["slug"],
            "options": self._options(),
            **{name: said[name] for name in names},
        }

    def _options(self) -> dict[str, Any]:
        options = dict(self.cleaned_data["more"])
        if self.cleaned_data["kind"] == "temporal":
            for name in _TEMPORAL_OWN:
                if self.cleaned_data[name]:
                    options[name] = self.cleaned_data[name]
        return options


def shown_options(options: dict[str, Any]) -> dict[str, str]:
    """Options as the form's fields show them."""
    rest = {name: value for name, value in options.items() if name not in _TEMPORAL_OWN}
    lines = [_line(name, rates or {}) for name, rates in (options.get("queues") or {}).items()]
    return {
        "namespace": str(options.get("namespace", "")),
        "queues": "\n".join(lines),
        "more": yaml.safe_dump(rest, sort_keys=True).strip() if rest else "",
    }


def _line(name: str, rates: dict[str, int]) -> str:
    shown = [
        format_amount(rates[each], Unit.MILLI_PER_SECOND) if rates.get(each) else "–"
        for each in ("base_rate", "queue_rate")
    ]
    while shown and shown[-1] == "–":
        shown.pop()
    return " ".join([name, *shown])


def _rates(number: int, words: list[str]) -> dict[str, int]:
    rates: dict[str, int] = {}
    for name, word in zip(("base_rate", "queue_rate"), words, strict=False):
        if word in ("–", "-"):
            continue
        try:
            rate = parse_amount(word, Unit.MILLI_PER_SECOND)
        except DomainError as error:
            raise ValidationError(f"Line {number}: {error.message}") from error
        if rate is not None:
            rates[name] = rate
    return rates
