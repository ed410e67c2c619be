"""Tenants' people as the REST API says them."""

from __future__ import annotations

from rest_framework import serializers

from console.rest.fields import Choice, Reason, Text
from console.rest.serializers import Body, described
from console.rest.views import Row
from tenants.models import Membership, MembershipRole

MEMBER = described(
    "Member",
    "A person who belongs to a tenant.",
    id=serializers.IntegerField(),
    user=serializers.CharField(help_text="The name that the person signs in with."),
    role=serializers.ChoiceField(choices=MembershipRole.choices),
    created_at=serializers.DateTimeField(),
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
