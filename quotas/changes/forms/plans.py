"""The plan editor: limits row by row, and what a plan says beyond numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from console.access.forms import ReasonForm
from console.errors import DomainError
from quotas.changes.forms.errors import problems_of
from quotas.changes.forms.rows import Row, Rows
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.rules.catalogue import SECTIONS, offer_of
from quotas.changes.rules.form_text import (
    exception_document,
    limit_text,
    peer_of,
    ports_of,
)
from quotas.changes.rules.policy import LEVELS, parse_policy
from quotas.plans.contracts import PlanTerms, Policy, policy_to_json
from quotas.plans.limits import parse_key
from quotas.plans.rules.entered import read_limit
from quotas.plans.rules.soundness import Severity, validate_limits
from tenants.models import dns_label

LIMIT_FIELDS = ("key", "value")
EXCEPTION_FIELDS = ("name", "direction", "peer", "ports")


class PlanForm(ReasonForm):
    """A new plan."""

    slug = forms.CharField(
        label="Short name",
        max_length=63,
        validators=[dns_label],
        help_text="Cannot be changed later.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    name = forms.CharField(max_length=120, required=False, help_text="Empty: the short name.")
    description = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Whom it is for.",
    )

    field_order = ("slug", "name", "description", "reason")


class PolicyForm(forms.Form):
    """Everything of a plan that is not a number, except the network's exceptions (rows)."""

    pod_security = forms.ChoiceField(
        choices=[(level, level) for level in LEVELS],
        initial="baseline",
        help_text="Pod Security Standards level of the namespaces.",
    )
    priority_class = forms.CharField(
        max_length=253,
        required=False,
        help_text="Given to pods that name none; empty leaves it alone.",
        widget=forms.TextInput(attrs={"class": "mono"}),
    )
    tenant_role = forms.CharField(
        max_length=253,
        required=False,
        initial="edit",
        help_text="ClusterRole that the tenant's group gets; empty binds nobody.",
        widget=forms.TextInput(attrs={"class": "mono"}),
    )
    network_isolated = forms.BooleanField(
        label="Closed network",
        required=False,
        initial=True,
        help_text="Deny all traffic except what is listed below.",
    )


class PlanEditor:
    """Everything on the editor's page: limits, policy and exceptions, with what is wrong where.

    `limits` and `policy` are set once `is_valid()` said so.
    """

    def __init__(
        self,
        *,
        limits: Mapping[str, int | None],
        policy: Policy,
        base_version: int = 0,
        data: QueryDict | None = None,
    ) -> None:
        self.base_version = base_version
        self.data = data
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.limits: dict[str, int | None] = {}
        self.policy = policy
        # What is posted stands in place of what the rows began as.
        begun = in_order(limits) if data is None else ()
        self.rows = Rows(
            "limit",
            LIMIT_FIELDS,
            rows=[{"key": key, "value": limit_text(key, limits[key])} for key in begun],
        )
        self.exceptions = Rows(
            "exception", EXCEPTION_FIELDS, rows=_exception_rows(policy), needed=("name", "peer")
        )
        self.form = PolicyForm(data, initial=policy_to_json(policy))
        if data is None:
            self.limits = dict(limits)
            self._validate_together()
        self._hint()

    def button_pressed(self) -> bool:
        """True when a button that adds or removes a row was pressed: the page is shown again."""
        if self.data is None:
            return False
        pressed = [self.rows.handle_buttons(self.data), self.exceptions.handle_buttons(self.data)]
        self._hint()
        return any(pressed)

    def is_valid(self) -> bool:
        """Reads everything; what is wrong stands beside its row or field."""
        if self.data is None:
            return False
        self.rows.read(self.data)
        self.exceptions.read(self.data)
        self._read_limits()
        self._hint()
        self.form.is_valid()
        self._read_policy()
        if not self.rows.has_errors:
            self._validate_together()
        return not (
            self.problems or self.form.errors or self.rows.has_errors or self.exceptions.has_errors
        )

    def change(self, plan: str) -> PublishPlan:
        """The next version as it was edited."""
        return PublishPlan(plan, self.base_version, self.limits, self.policy)

    @property
    def terms(self) -> PlanTerms:
        """What was typed, as far as it could be read."""
        return PlanTerms("", self.base_version, self.limits, self.policy)

    def add_errors(self, error: DomainError) -> None:
        """Shows a refusal of the services at the row or field that it is about."""
        for problem in problems_of(error):
            self._place(problem["field"], problem["message"])

    def _read_limits(self) -> None:
        for row in self.rows:
            try:
                key = parse_key(row.values["key"])
                row.values["key"] = key.key
            except DomainError as error:
                row.errors["key"] = error.message if row.values["key"] else "Name the limit."
                continue
            if key.key in self.limits:
                row.errors["key"] = f"{key.key} is there a second time; keep one of the two."
                continue
            self.limits[key.key] = None
            try:
                if not row.values["value"]:
                    raise DomainError(
                        "missing", f"{key.key}: say how much, or “unlimited”, or remove the row."
                    )
                self.limits[key.key] = read_limit(key, row.values["value"])
            except DomainError as error:
                row.errors["value"] = error.message

    def _validate_together(self) -> None:
        """What the limits make together: errors to their rows, surprises to the warnings."""
        for problem in validate_limits(self.limits):
            if problem.severity is Severity.WARNING:
                self.warnings.append(problem.message)
            else:
                self._place(problem.field, problem.message)

    def _read_policy(self) -> None:
        document = dict(self.form.cleaned_data)
        document["network_exceptions"] = [
            exception_document(**row.values) for row in self.exceptions
        ]
        try:
            self.policy = parse_policy(document)
        except DomainError as error:
            self._place(error.field, error.message)

    def _place(self, name: str, message: str) -> None:
        """An error to its row, its field, or the page."""
        row = next((row for row in self.rows if row.values["key"] == name), None)
        short = name.removeprefix("policy.")
        if row is not None:
            row.errors["value"] = message
        elif short in self.form.fields:
            self.form.add_error(short, message)
        elif short.startswith("network_exceptions["):
            number, _, field = short.removeprefix("network_exceptions[").partition("]")
            self.exceptions.rows[int(number)].errors[_EXCEPTION_COLUMNS.get(field[1:], "peer")] = (
                message
            )
        else:
            self.problems.append(message)

    def _hint(self) -> None:
        for row in self.rows:
            row.hint = hint_of(row)


_EXCEPTION_COLUMNS = {"name": "name", "direction": "direction", "ports": "ports"}


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys by section, quotas first, then by name."""
    sections = list(SECTIONS)
    return sorted(keys, key=lambda key: (sections.index(parse_key(key).group), key))


def hint_of(row: Row) -> str:
    """What the key of a row means, in words; nothing for a key that is none."""
    try:
        offer = offer_of(parse_key(row.values["key"]))
    except DomainError:
        return ""
    return f"{offer.label} – {offer.help}"


def _exception_rows(policy: Policy) -> list[dict[str, str]]:
    return [
        {
            "name": exception.name,
            "direction": exception.direction,
            "peer": peer_of(exception),
            "ports": ports_of(exception),
        }
        for exception in policy.network_exceptions
    ]


class ArchiveForm(ReasonForm):
    """Typing the plan's name says that it is meant."""

    confirm = forms.CharField(
        label="Short name of the plan",
        max_length=63,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )

    field_order = ("confirm", "reason")

    def __init__(self, *args: Any, slug: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slug = slug
        self.fields["confirm"].help_text = f"Type {slug}."

    def clean_confirm(self) -> str:
        """Exactly the slug."""
        typed = str(self.cleaned_data["confirm"]).strip()
        if typed != self.slug:
            raise forms.ValidationError(f"{typed!r} is not {self.slug!r}.")
        return typed
