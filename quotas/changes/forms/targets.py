"""A target: what it is, where it is, where its credential is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from console.access.forms import ReasonForm
from console.errors import DomainError
from quotas.changes.rules import strict_yaml
from quotas.plans.contracts import Unit
from quotas.plans.quantities import format_amount
from quotas.plans.rules.entered import read_rate
from tenants.adapters.cluster_dns import OPTION as DNS
from tenants.adapters.cluster_dns import PLAIN, dns_in_force, dns_option
from tenants.models import DriftPolicy, dns_label
from tenants.rules import LINKS, LONGEST_RETENTION, LONGEST_URL, RETENTION

CREDENTIALS = (
    "Where the credential is, never the secret itself: in-cluster · "
    "kubeconfig:/etc/headroom/credentials/prod.kubeconfig#prod-gke · env:HEADROOM_CRED_TEMPORAL · "
    "file:/etc/headroom/credentials/temporal-key"
)
LONGEST_OPTIONS = 20_000
NO_CREDENTIAL = "none"
"""What is typed to take a credential away: an empty field leaves it as it is."""
KEPT_CREDENTIALS = ("credential", "argo_server_token")
_ARGO_SERVER = ("argo_server", "argo_server_ca_file", "argo_server_insecure")
"""What says whom the Argo server's token is sent to."""
_OWN = {
    "temporal": ("namespace", "queues"),
    "argo": ("argo_server", "argo_server_token", "controller_namespace"),
    "celery": ("app",),
    "kubernetes": (DNS,),
}
"""Options that have a field of their own, by the kind that has them."""
_EVERY_KIND = (*LINKS, RETENTION)
_FIELDS = tuple(name for names in _OWN.values() for name in names) + _EVERY_KIND
OPTION_FIELDS = {"options": "more"} | {f"options.{name}": name for name in (DNS, *_EVERY_KIND)}
"""Which field of the form shows a fault of an option."""


def _mono(**attributes: str) -> forms.TextInput:
    return forms.TextInput(attrs={"class": "mono", "autocomplete": "off", **attributes})


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
        help_text="HOST:PORT of a Temporal server; a Celery broker’s URL without a password; empty "
        "for Kubernetes and Argo, whose credential says it.",
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
    argo_server = forms.CharField(
        label="Argo server",
        max_length=300,
        required=False,
        help_text="URL. Without one, runs are not retried from here and the archive is not read.",
        widget=_mono(placeholder="https://argo-server.argo:2746"),
    )
    argo_server_token = forms.CharField(
        label="Its token",
        max_length=300,
        required=False,
        help_text="Where a Kubernetes token for it is: env:NAME or file:/path. Never the token.",
        widget=_mono(),
    )
    controller_namespace = forms.CharField(
        label="Namespace of the controller",
        max_length=63,
        required=False,
        help_text="Empty: “argo”. Nothing is ever written there.",
        widget=_mono(),
    )
    app = forms.CharField(
        label="Name of the app",
        max_length=100,
        required=False,
        help_text="For people; a broker may serve several.",
        widget=_mono(),
    )
    dns = forms.CharField(
        label="Cluster DNS",
        max_length=1000,
        required=False,
        help_text="Where pods ask for names, which a closed network lets through: namespaces, "
        "networks, ports. Empty: by distribution (openshift-dns 5353 on OpenShift, else "
        f"{PLAIN}).",
        widget=_mono(placeholder=str(PLAIN)),
    )
    ui_url = forms.CharField(
        label="The engine’s own UI",
        max_length=LONGEST_URL,
        required=False,
        help_text="Where its pages begin: Temporal UI, Argo UI, Flower.",
        widget=_mono(placeholder="https://temporal-ui.example"),
    )
    trace_url = forms.CharField(
        label="Traces",
        max_length=LONGEST_URL,
        required=False,
        help_text="With {trace_id}, {request_id}, {from_ms}, {to_ms} and the like.",
        widget=_mono(placeholder="https://tempo.example/trace/{trace_id}"),
    )
    logs_url = forms.CharField(
        label="Logs",
        max_length=LONGEST_URL,
        required=False,
        help_text="With {namespace}, {pod}, {job}, {workflow_id}, {run_id}, {task_id}, {queue}, "
        "{tenant} and the above.",
        widget=_mono(placeholder="https://logs.example/?q={pod}&from={from_ms}"),
    )
    trail_retention_days = forms.IntegerField(
        label="Keep finished runs for (days)",
        min_value=1,
        max_value=LONGEST_RETENTION,
        required=False,
        help_text="Empty: JOB_RETENTION_DAYS of the console. What a tenant’s plan says goes first.",
    )
    more = forms.CharField(
        label="Further options",
        max_length=LONGEST_OPTIONS,
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
        "slug", "name", "kind", "endpoint", "credential", *_FIELDS, "more",
        "drift_policy", "concurrency", "enabled", "generation", "reason",
    )  # fmt: skip

    def __init__(
        self, *args: Any, kinds: list[tuple[str, str]], is_new: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]  # a ChoiceField
        # Never put into the page: what is sent with another address has been typed for it.
        self._kept = {name: str(self.initial.pop(name, "") or "") for name in KEPT_CREDENTIALS}
        self._known_options = self.initial.pop("options", {})
        if not is_new:
            for name in ("slug", "kind"):
                self.fields[name].disabled = True
        for name, reference in self._kept.items():
            if reference:
                field = self.fields[name]
                field.widget.attrs["placeholder"] = reference
                field.help_text = (
                    f"Empty: stays {reference}, unless the address changes: then say it again. "
                    f"“{NO_CREDENTIAL}”: without one."
                )

    def clean(self) -> dict[str, Any]:
        """The Argo server's token, where it is kept, goes to the server that it was said for."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        options = {**(cleaned.get("more") or {}), "argo_server": cleaned.get("argo_server", "")}
        moved = any(
            (options.get(name) or None) != (self._known_options.get(name) or None)
            for name in _ARGO_SERVER
        )
        if self._kept["argo_server_token"] and not cleaned.get("argo_server_token") and moved:
            self.add_error(
                "argo_server_token",
                "The Argo server is another one now, and the token would be sent there: say again "
                f"where it is, or “{NO_CREDENTIAL}”.",
            )
        return cleaned

    def clean_dns(self) -> dict[str, Any] | None:
        """Namespaces, networks and ports; None where the distribution says them."""
        try:
            return dns_option(text) if (text := self.cleaned_data[DNS].strip()) else None
        except DomainError as error:
            raise ValidationError(error.message.removeprefix(f"{DNS}: ")) from error

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
            documents = strict_yaml.load_all(self.cleaned_data["more"]) or [{}]
        except DomainError as error:
            if not error.detail["syntax"]:
                raise ValidationError(error.message) from error
            line = f" in line {error.detail['line']}" if error.detail["line"] else ""
            raise ValidationError(f"This is neither YAML nor JSON{line}.") from error
        document = {} if documents[0] is None else documents[0]
        if len(documents) > 1 or not isinstance(document, dict):
            raise ValidationError("Use a mapping such as tls: true.")
        if twice := [name for name in _FIELDS if name in document]:
            raise ValidationError(f"{twice[0]} has a field of its own above; say it there.")
        return document

    def given(self) -> dict[str, Any]:
        """The fields of the target as the services take them; the form must be valid."""
        cleaned = self.cleaned_data
        names = ("endpoint", "drift_policy", "concurrency", "enabled")
        entered = cleaned["credential"].strip()
        credential = {"credential": "" if entered == NO_CREDENTIAL else entered}
        return {
            "name": cleaned["name"].strip() or cleaned["slug"],
            "options": self._options(),
            **{name: cleaned[name] for name in names},
            **(credential if entered else {}),
        }

    def _options(self) -> dict[str, Any]:
        options = dict(self.cleaned_data["more"])
        for name in (*_OWN.get(self.cleaned_data["kind"], ()), *_EVERY_KIND):
            value = self.cleaned_data[name]
            if name in self._kept:
                value = "" if value == NO_CREDENTIAL else value or self._kept[name]
            if value:
                options[name] = value
        return options


def shown_options(options: dict[str, Any]) -> dict[str, str]:
    """Options as the form's fields show them."""
    rest = {name: value for name, value in options.items() if name not in _FIELDS}
    lines = [_line(name, rates or {}) for name, rates in (options.get("queues") or {}).items()]
    return {
        **{name: str(options.get(name) or "") for name in _FIELDS},
        "queues": "\n".join(lines),
        DNS: str(dns_in_force(options, {})) if options.get(DNS) else "",
        "more": strict_yaml.dump(dict(sorted(rest.items()))).strip() if rest else "",
    }


def _line(name: str, rates: dict[str, int]) -> str:
    shown = [
        format_amount(rates[key], Unit.MILLI_PER_SECOND) if rates.get(key) else "–"
        for key in ("base_rate", "queue_rate")
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
            rate = read_rate(word)
        except DomainError as error:
            raise ValidationError(f"Line {number}: {error.message}") from error
        if rate is not None:
            rates[name] = rate
    return rates
