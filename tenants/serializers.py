"""Tenants' people, and what cannot be read of theirs, as the REST API says them."""

from __future__ import annotations

from rest_framework import serializers

from console.rest.fields import Choice, Reason, Text
from console.rest.serializers import Body, described
from console.rest.views import Row
from tenants.models import Membership, MembershipRole, Reader, UnreadableObject

MEMBER = described(
    "Member",
    "A person who belongs to a tenant.",
    id=serializers.IntegerField(),
    user=serializers.CharField(help_text="The name that the person signs in with."),
    role=serializers.ChoiceField(choices=MembershipRole.choices),
    created_at=serializers.DateTimeField(),
)
UNREADABLE = described(
    "Unreadable",
    "An object or event on a target that could not be read; forgotten once it can be, is gone, or "
    "was not met for seven days.",
    id=serializers.IntegerField(),
    target=serializers.CharField(),
    tenant=serializers.CharField(help_text="Empty where its place is nobody's."),
    reader=serializers.ChoiceField(
        choices=Reader.choices, help_text="Who met it: the reader of limits, or that of jobs."
    ),
    kind=serializers.CharField(help_text="Workflow, ResourceQuota, task event, …"),
    location=serializers.CharField(help_text="Its namespace or queue."),
    name=serializers.CharField(),
    problem=serializers.CharField(help_text="What is wrong with it."),
    times=serializers.IntegerField(help_text="How often it was met."),
    first_at=serializers.DateTimeField(),
    last_at=serializers.DateTimeField(),
)


class NewMember(Body):
    """Makes a person a member."""

    user = Text(help_text="The name that the person signs in with.")
    role = Choice(MembershipRole.choices, default=MembershipRole.MEMBER)
    reason = Reason()


def member_row(membership: Membership) -> Row:
    """A membership (user loaded) as `MEMBER` describes it."""
    return {
        "id": membership.pk,
        "user": membership.user.get_username(),
        "role": membership.role,
        "created_at": membership.created_at,
    }


def unreadable_row(row: UnreadableObject) -> Row:
    """What could not be read (tenant and target loaded) as `UNREADABLE` describes it."""
    return {
        "id": row.pk,
        "target": row.target.slug,
        "tenant": row.tenant.slug if row.tenant else "",
        "reader": row.reader,
        "kind": row.kind,
        "location": row.location,
        "name": row.name,
        "problem": row.problem,
        "times": row.times,
        "first_at": row.first_at,
        "last_at": row.last_at,
    }
