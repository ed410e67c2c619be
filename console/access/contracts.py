"""What a page or endpoint asks of whoever comes. Pure, so that pure rules can name it too."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What somebody needs; `label` says it on pages and in problems."""

    label: str

    OWN = "own", "See what belongs to one's own tenants"
    VIEW = "view", "See everything in the console"
    OPERATE = "operate", "Leases, suspend and resume, repair, retry"
    ADMINISTER = "administer", "Plans, tenants, placements, targets, people"

    def __new__(cls, value: str, label: str) -> Permission:
        """A member that is its value, with its label beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member
