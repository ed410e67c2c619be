"""What people type to have something done to a run, or to many. The services decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from console.access.forms import ReasonForm
from console.errors import DomainError
from console.pages.visible import visible
from observability.actions.contracts import FASTEST
from observability.actions.models import ActionStatus
from observability.actions.rules.arguments import ARGUMENTS
from observability.engines.verbs import Argument, FieldKind, Verb
from tenants.models import Target

STEPS_ID: Final = "open-steps"
"""The id of the page's list of open activities."""
_PLAIN: Final = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


def argument_field(argument: Argument) -> forms.Field:
    """How an argument is typed. Whether it is right, read_arguments says, also for REST."""
    shown: dict[str, Any] = {
        "label": argument.label,
        "required": argument.required,
        "help_text": argument.help,
        "initial": argument.default,
    }
    if argument.kind is FieldKind.FLAG:
        return forms.BooleanField(**shown)
    if argument.kind is FieldKind.CHOICE:
        return forms.ChoiceField(choices=argument.choices, widget=forms.RadioSelect, **shown)
    if argument.kind is FieldKind.JSON:
        attrs = {**_PLAIN, "rows": 4}
        return forms.CharField(strip=False, widget=forms.Textarea(attrs=attrs), **shown)
    attrs = {**_PLAIN}
    if argument.kind in {FieldKind.NUMBER, FieldKind.DECIMAL}:
        attrs["inputmode"] = "decimal"
    if argument.name == "activity":
        attrs["list"] = STEPS_ID
    return forms.CharField(widget=forms.TextInput(attrs=attrs), **shown)


class VerbForm(forms.Form):
    """The arguments of one verb."""

    def __init__(self, *args: Any, verb: Verb, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verb = verb
        for argument in verb.arguments:
            self.fields[argument.name] = argument_field(argument)

    def arguments(self) -> dict[str, Any]:
        """What was typed, by argument; the form must be valid."""
        return {argument.name: self.cleaned_data[argument.name] for argument in self.verb.arguments}


class ActionForm(VerbForm, ReasonForm):
    """One verb on one run."""

    seen_status = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, confirm: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.verb.destructive:
            confirm = visible(confirm)
            self.fields["confirm"] = forms.CharField(
                label="Id of the run",
                help_text=f"Type {confirm} to say that you mean it.",
                widget=forms.TextInput(attrs={**_PLAIN, "data-confirm-text": confirm}),
            )
        self.order_fields(
            [*(argument.name for argument in self.verb.arguments), "confirm", "reason"]
        )


class BatchForm(VerbForm):
    """Which runs, and how fast."""

    where = forms.ChoiceField(
        label="Search",
        required=False,
        help_text="Runs that Headroom knows, or a query that the engine itself carries out.",
    )
    query = forms.CharField(
        label="Which runs",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
    )
    rate = forms.IntegerField(
        label="Operations a second",
        min_value=1,
        max_value=FASTEST,
        initial=5,
        help_text=f"1 to {FASTEST}. Slow enough to stop it in time.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for argument in self.verb.arguments:
            if argument.needed_with:
                self._leave_out(argument, *argument.needed_with)
        where = self.fields["where"]
        assert isinstance(where, forms.ChoiceField)  # noqa: S101 - declared above
        where.choices = [("", "the jobs found here, as on the page Jobs"), *self._targets()]
        if len(where.choices) == 1:
            where.widget = forms.HiddenInput()
        self.order_fields(
            ["where", "query", *(argument.name for argument in self.verb.arguments), "rate"]
        )

    def _leave_out(self, argument: Argument, other: str, value: str) -> None:
        """What names something inside one run (an event) is nothing to ask of many."""
        del self.fields[argument.name]
        choice = self.fields[other]
        if isinstance(choice, forms.ChoiceField):
            offered = next(about.choices for about in self.verb.arguments if about.name == other)
            choice.choices = [(name, label) for name, label in offered if name != value]

    def _targets(self) -> list[tuple[str, str]]:
        if not self.verb.by_query:
            return []
        rows = Target.objects.filter(kind=self.verb.engine.value, enabled=True).order_by("slug")
        return [(row.slug, f"visibility query on {row.slug}") for row in rows]


class BatchApplyForm(ReasonForm):
    """The reason, the count that was seen, and the count typed where it is destructive."""

    expected = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    confirm = forms.CharField(max_length=20, required=False)


class ListFilter(forms.Form):
    """What the list of actions can be narrowed to."""

    actor = forms.CharField(required=False, max_length=200, label="By")
    tenant = forms.CharField(required=False, max_length=63)
    status = forms.ChoiceField(required=False, choices=[("", "any"), *ActionStatus.choices])

    def lookups(self) -> dict[str, str]:
        """As lookups of a queryset; what cannot be read narrows nothing."""
        self.full_clean()
        cleaned: Mapping[str, Any] = self.cleaned_data
        names = {"actor": "actor", "tenant": "tenant__slug", "status": "status"}
        return {lookup: cleaned[name] for name, lookup in names.items() if cleaned.get(name)}


def add_problems(form: forms.BaseForm, error: DomainError) -> None:
    """Every problem of a refusal, at the field that it is about. The form must be validated."""
    listed = error.detail.get("problems") or [{"field": error.field, "message": error.message}]
    for problem in listed:
        field = problem["field"].removeprefix(f"{ARGUMENTS}.")
        name = "where" if field == "target" else field
        form.add_error(name if name in form.fields else None, problem["message"])
