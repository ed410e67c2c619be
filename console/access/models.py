"""Who may come in, and with which role."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """Console roles; each may do all that the ones below it may. Nobody is something too."""

    ADMIN = "admin", "Admin"
    OPERATOR = "operator", "Operator"
    VIEWER = "viewer", "Viewer"
    NOBODY = "", "No console role"


class Permission(models.TextChoices):
    """What a page or endpoint asks for."""

    VIEW = "view", "See everything in the console"
    OPERATE = "operate", "Leases, suspend and resume, repair, retry"
    ADMINISTER = "administer", "Plans, tenants, placements, targets, people"


GRANTS: dict[str, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.OPERATOR: frozenset({Permission.VIEW, Permission.OPERATE}),
    Role.VIEWER: frozenset({Permission.VIEW}),
    Role.NOBODY: frozenset(),
}


class User(AbstractUser):
    """A person. `role` is the console role; tenants' own people have none and a Membership."""

    role = models.CharField(
        max_length=16,
        choices=Role.choices,
        default=Role.NOBODY,
        blank=True,
        help_text="What this person may do in the console; empty for tenants' own people.",
    )

    def may(self, permission: Permission) -> bool:
        """True when this active person's role grants `permission`."""
        return self.is_active and permission in GRANTS.get(self.role, frozenset())


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Finders for tokens."""

    def usable(self, *, at: datetime) -> ApiTokenQuerySet:
        """Tokens that are neither revoked nor expired at `at`."""
        alive = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=at)
        return self.filter(alive, revoked_at__isnull=True, user__is_active=True)


class ApiToken(models.Model):
    """A key for machines. Only its hash is stored; the plain text is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, help_text="What uses this token.")
    prefix = models.CharField(max_length=12, help_text="The token's beginning, to tell it apart.")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty never expires.")
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    SCHEME: ClassVar[str] = "hr_"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @staticmethod
    def digest_of(plain: str) -> str:
        """The stored form of a token. Tokens are 256 random bits: a fast hash is enough."""
        return hashlib.sha256(plain.encode()).hexdigest()

    @classmethod
    def issue(cls, *, user: User, name: str, expires_at: datetime | None = None) -> str:
        """Creates a token and returns its plain text, which is not stored anywhere."""
        plain = cls.SCHEME + secrets.token_urlsafe(32)
        cls.objects.create(
            user=user,
            name=name,
            prefix=plain[:10],
            digest=cls.digest_of(plain),
            expires_at=expires_at,
        )
        return plain
