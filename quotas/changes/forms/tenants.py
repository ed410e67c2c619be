"""On-boarding, placing, editing and off-boarding tenants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from console.access.forms import ReasonForm
from console.access.models import User
from console.errors import DomainError
from quotas.changes.forms.errors import problems_of
from quotas.changes.forms.fields import ChoiceOfRow, LabelsTextField
from quotas.changes.forms.limits import ManyForm
from quotas.changes.forms.rows import Row, Rows
from quotas.changes.kinds.lifecycle import Onboard
from quotas.changes.kinds.placements import Place
from quotas.changes.kinds.plans import MovePlan
from quotas.plans.models import Plan
from tenants.models import MembershipRole, Sharing, Target, dns_label

PLACE_FIELDS = ("target", "location", "sharing", "fairness_key")


def plan_choices() -> list[tuple[str, str]]:
    """The plans that can be chosen."""
    rows = Plan.objects.filter(archived_at=None).order_by("slug")
    return [(plan.slug, f"{plan.slug} · {plan.name}") for plan in rows]


def target_choices() -> list[tuple[str, str]]:
    """The targets that somebody can be placed on."""
    rows = Target.objects.order_by("slug")
    return [(target.slug, f"{target.slug} · {target.kind}") for target in rows]


class OnboardForm(forms.Form):
    """A new tenant; its placements are rows beside this form."""

    slug = forms.CharField(
        label="Short name",
        max_length=63,
        validators=[dns_label],
        help_text="Used in namespaces, labels and fairness keys. Cannot be changed later.",
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false", "autofocus": True}
        ),
    )
    name = forms.CharField(max_length=120, required=False, help_text="Empty: the short name.")
    plan = ChoiceOfRow(help_text="Its latest version.")
    contact = forms.CharField(
        max_length=254, required=False, help_text="E-mail address or channel to reach the owners."
    )
    group = forms.CharField(
        max_length=200,
        required=False,
        help_text="Group of the identity provider that gets the plan's role in the namespaces.",
    )
    labels = LabelsTextField(required=False, help_text="One name=value a line, for filtering.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].offer(plan_choices(), "choose a plan")  # type: ignore[attr-defined]  # a ChoiceOfRow

    def change(self, placements: Sequence[Place]) -> Onboard:
        """What was asked for; the form must be valid."""
        cleaned = self.cleaned_data
        return Onboard(
            slug=cleaned["slug"],
            name=cleaned["name"].strip() or cleaned["slug"],
            plan=cleaned["plan"],
            contact=cleaned["contact"],
            group=cleaned["group"],
            labels=cleaned["labels"],
            placements=tuple(placements),
        )


def place_rows() -> Rows:
    """Where a tenant shall be placed."""
    return Rows("place", PLACE_FIELDS, needed=("target", "location"))


def places_of(rows: Rows, slug: str) -> list[Place]:
    """The rows as places, with what was left blank filled in; faults go to their rows."""
    known = {target.slug: target for target in Target.objects.all()}
    return [place for row in rows if (place := _place(row, slug, known)) is not None]


def _place(row: Row, slug: str, known: dict[str, Target]) -> Place | None:
    target = known.get(row.values["target"])
    if target is None:
        row.errors["target"] = "Choose a target, or empty the row."
        return None
    return filled_in(target, slug, row.values)


def filled_in(target: Target, slug: str, typed: dict[str, str]) -> Place:
    """A place with sensible defaults: a namespace or queue of the tenant's name, or its name as the
    key on the first shared queue of the target."""
    shared = list(target.options.get("queues") or {})
    location, sharing, key = (typed[name] for name in PLACE_FIELDS[1:])
    if not sharing:
        wants = (location in shared) if location else bool(shared)
        sharing = Sharing.SHARED if wants or key else Sharing.DEDICATED
    if not location:
        location = shared[0] if sharing == Sharing.SHARED and shared else slug
    if sharing == Sharing.SHARED and not key:
        key = slug
    return Place(slug, target.slug, location, sharing, key)


def add_row_errors(rows: Rows, form: forms.Form, error: DomainError) -> None:
    """Shows what is wrong with a place in its row, and the rest in the form."""
    for problem in problems_of(error):
        name, message = problem["field"].rpartition(".")[2], problem["message"]
        row = _row_at_fault(rows, name, message) if name in PLACE_FIELDS else None
        if row is not None:
            row.errors[name] = message
        else:
            form.add_error(name if name in form.fields else None, message)


def _row_at_fault(rows: Rows, name: str, message: str) -> Row | None:
    """The only row, or the one whose value the message repeats."""
    if len(rows) == 1:
        return rows.rows[0]
    return next((row for row in rows if row.values[name] and row.values[name] in message), None)


class PlaceForm(forms.Form):
    """One more place for a tenant."""

    target = ChoiceOfRow()
    location = forms.CharField(
        label="Namespace or task queue",
        max_length=255,
        required=False,
        help_text="Empty: the tenant's short name, or the target's shared queue.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    sharing = forms.ChoiceField(
        required=False,
        choices=[("", "as it fits the target"), *Sharing.choices],
        help_text="Only task queues can be shared.",
    )
    fairness_key = forms.CharField(
        max_length=64,
        required=False,
        help_text="On a shared queue; empty: the tenant's short name.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["target"].offer(target_choices(), "choose a target")  # type: ignore[attr-defined]  # a ChoiceOfRow

    def change(self, slug: str) -> Place:
        """What was asked for; the form must be valid."""
        target = Target.objects.get(slug=self.cleaned_data["target"])
        return filled_in(target, slug, self.cleaned_data)


class MoveForm(forms.Form):
    """Another plan."""

    plan = ChoiceOfRow()
    version = forms.IntegerField(
        required=False, min_value=1, help_text="Empty: the latest, which is what you want."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].offer(plan_choices(), "choose a plan")  # type: ignore[attr-defined]  # a ChoiceOfRow

    def change(self, tenants: tuple[str, ...]) -> MovePlan:
        """What was asked for, for these tenants; the form must be valid."""
        return MovePlan(tenants, self.cleaned_data["plan"], self.cleaned_data["version"])


class ManyMoveForm(MoveForm, ManyForm):
    """Another plan for several tenants."""

    field_order = ("tenants", "plan", "version")


class OffboardForm(forms.Form):
    """Typing the name says that it is meant."""

    confirm = forms.CharField(
        label="Short name of the tenant",
        max_length=63,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, slug: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slug = slug
        self.fields["confirm"].help_text = f"Type {slug} to go on to the preview."

    def clean_confirm(self) -> str:
        """Exactly the slug."""
        typed = str(self.cleaned_data["confirm"]).strip()
        if typed != self.slug:
            raise forms.ValidationError(f"{typed!r} is not {self.slug!r}.")
        return typed


class TenantForm(ReasonForm):
    """What people read about a tenant, and the group that gets its role."""

    name = forms.CharField(max_length=120)
    contact = forms.CharField(
        max_length=254, required=False, help_text="E-mail address or channel to reach the owners."
    )
    group = forms.CharField(
        max_length=200,
        required=False,
        help_text="Group of the identity provider that gets the plan's role. A new one is pushed "
        "at once.",
    )
    labels = LabelsTextField(required=False, help_text="One name=value a line.")
    generation = forms.IntegerField(widget=forms.HiddenInput)

    field_order = ("name", "contact", "group", "labels", "generation", "reason")


class MemberForm(ReasonForm):
    """One more person of a tenant."""

    user = forms.CharField(
        label="User name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(choices=MembershipRole.choices, initial=MembershipRole.MEMBER)

    field_order = ("user", "role", "reason")

    def clean_user(self) -> User:
        """The person of that name."""
        username = str(self.cleaned_data["user"]).strip()
        user = User.objects.filter(username=username).first()
        if user is None:
            raise forms.ValidationError(
                f"{username!r}: no user has that name; invite the person under People first."
            )
        return user
