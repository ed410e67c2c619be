"""What REST takes for each kind of change: a body made of the kind's own fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any, ClassVar, get_type_hints

from rest_framework.exceptions import ValidationError

from console.errors import DomainError
from console.rest.fields import Choice, JSONObject, Reason, Text
from console.rest.problems import InvalidBody
from console.rest.serializers import Body
from quotas.changes.kinds.adjustments import GrantLease, SetOverride
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.lifecycle import Offboard, Onboard
from quotas.changes.kinds.placements import Displace, Place
from quotas.changes.kinds.plans import MovePlan, PublishPlan
from quotas.changes.kinds.registry import KINDS
from quotas.changes.serializers.change_fields import FIELDS, LimitsField, PolicyField, TextField
from quotas.plans.limits import parse_key
from quotas.plans.rules.entered import read_limit

KIND_CHOICES = [(kind, kind) for kind in KINDS]


class ChangeBody(Body):
    """The fields of a change. A limit's value is read as its key says."""

    kind: ClassVar[type[ProposedChange]]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Reads `value` once it is known what it limits."""
        if "value" in attrs:
            try:
                attrs["value"] = read_limit(parse_key(attrs["key"]), attrs["value"])
            except DomainError as error:
                raise ValidationError({"value": error.message}) from error
        return attrs


def body_of(
    kind: type[ProposedChange],
    name: str,
    *,
    without: Collection[str] = (),
    help_texts: Mapping[str, str] | None = None,
    confirm: bool = False,
) -> type[ChangeBody]:
    """The body that makes a change of this kind, called `name` in the schema: its fields except
    those `without`, which the address says, and the reason. With `confirm` the tenant's slug is
    typed again."""
    made = _fields(kind, without)
    for field, text in (help_texts or {}).items():
        made[field].help_text = text
    if confirm:
        made["confirm"] = TextField(required=False, help_text="The tenant's slug, typed again.")
    return _class(name, kind, {**made, "reason": Reason()})


def change_of(kind: type[ProposedChange], payload: Mapping[str, Any]) -> ProposedChange:
    """The change that a payload says. Raises InvalidBody with every field that is not right."""
    body = _PAYLOADS[kind.__name__](data=payload)
    if not body.is_valid():
        raise InvalidBody(body.errors)
    return kind.of(body.validated_data)


def _class(name: str, kind: type[ProposedChange], made: Mapping[str, Any]) -> type[ChangeBody]:
    body: type[ChangeBody] = type(
        f"{name}Serializer", (ChangeBody,), {"__doc__": kind.__doc__, "kind": kind, **made}
    )
    return body


def _fields(kind: type[ProposedChange], without: Collection[str]) -> dict[str, Any]:
    types = get_type_hints(kind, include_extras=True)
    return {
        item.name: _field(
            types[item.name],
            required=item.default is MISSING and item.default_factory is MISSING,
            allow_null=item.default is None,
        )
        for item in fields(kind)  # type: ignore[arg-type]  # every kind is a dataclass
        if item.name not in without
    }


def _field(annotation: Any, *, required: bool, allow_null: bool) -> Any:
    if annotation == tuple[Place, ...]:
        places = _fields(Place, ("tenant",))
        return _class("NewPlace", Place, places)(many=True, required=required)
    options: dict[str, Any] = {"required": required}
    if allow_null:
        options["allow_null"] = True
    return FIELDS[annotation](**options)


_PAYLOADS = {
    name: _class(f"{name}Payload", kind, _fields(kind, ())) for name, kind in KINDS.items()
}


class NewPlan(Body):
    """A plan with its version 1. Limits are written as people do: 40, 96Gi, 20/s, unlimited."""

    slug = Text()
    name = Text(required=False)
    description = Text(required=False)
    limits = LimitsField()
    policy = PolicyField(required=False)
    reason = Reason()


class Propose(Body):
    """A change, by kind; its fields are those of the endpoint that makes it."""

    kind = Choice(KIND_CHOICES)
    payload = JSONObject()


class Apply(Body):
    """Does what the preview with this fingerprint said."""

    fingerprint = Text()
    confirm = TextField(required=False, help_text="The tenant's slug, where something is deleted.")
    reason = Reason()


NewTenant = body_of(Onboard, "NewTenant")
Move = body_of(
    MovePlan, "Move", without=("tenants",), help_texts={"version": "The latest if absent."}
)
OffboardTenant = body_of(Offboard, "Offboard", without=("tenant", "confirm"), confirm=True)
NewPlacement = body_of(
    Place, "NewPlacement", help_texts={"location": "The namespace or the task queue."}
)
RemovePlacement = body_of(Displace, "RemovePlacement", without=("placement",), confirm=True)
NewLease = body_of(GrantLease, "NewLease")
NewOverride = body_of(SetOverride, "NewOverride")
NewPlanVersion = body_of(
    PublishPlan,
    "NewPlanVersion",
    without=("plan",),
    help_texts={
        "base_version": "The version that was edited: 409 if it is not the latest.",
        "policy": "What is left out stays as it was.",
    },
)
