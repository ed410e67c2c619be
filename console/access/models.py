"""Who may come in, and with which role."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models

from console.access.contracts import Permission


class Role(models.TextChoices):
    """Console roles; each may do all that the ones below it may. Nobody is something too."""

    ADMIN = "admin", "Admin"
    OPERATOR = "operator", "Operator"
    VIEWER = "viewer", "Viewer"
    NOBODY = "", "No console role"


GRANTS: dict[str, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.OPERATOR: frozenset({Permission.OWN, Permission.VIEW, Permission.OPERATE}),
    Role.VIEWER: frozenset({Permission.OWN, Permission.VIEW}),
    Role.NOBODY: frozenset({Permission.OWN}),
}


class UserManager(DjangoUserManager["User"]):
    """Makes users; whoever `createsuperuser` makes is an admin of the console as well."""

    use_in_migrations = False

    def create_superuser(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **extra_fields: Any,
    ) -> User:
        """A superuser with the role admin unless another role is named."""
        extra_fields.setdefault("role", Role.ADMIN)
        return super().create_superuser(username, email, password, **extra_fields)


class User(AbstractUser):
    """A person. `role` is the console role; tenants' own people have none and a Membership."""

    role = models.CharField(
        max_length=16,
        choices=Role.choices,
        default=Role.NOBODY,
        blank=True,
        help_text="What this person may do in the console; empty for tenants' own people.",
    )
    password_is_one_time = models.BooleanField(
        default=False,
        help_text="Set by an admin's invitation: the console opens after the password is changed.",
    )

    objects: ClassVar[UserManager] = UserManager()

    def may(self, permission: Permission) -> bool:
        """True when this active person's role grants `permission`."""
        return self.is_active and permission in GRANTS.get(self.role, frozenset())


class TokenScope(models.TextChoices):
    """The most that a token may do, within what its owner may."""

    ALL = "all", "Whatever its owner may do"
    OPERATE = "operate", "Read, and what operators do"
    READ = "read", "Read only"


SCOPES: dict[str, frozenset[Permission]] = {
    TokenScope.ALL: frozenset(Permission),
    TokenScope.OPERATE: frozenset({Permission.OWN, Permission.VIEW, Permission.OPERATE}),
    TokenScope.READ: frozenset({Permission.OWN, Permission.VIEW}),
}


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
    scope = models.CharField(max_length=8, choices=TokenScope.choices, default=TokenScope.ALL)
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
    def issue(
        cls,
        *,
        user: User,
        name: str,
        expires_at: datetime | None = None,
        scope: str = TokenScope.ALL,
    ) -> str:
        """Creates a token and returns its plain text, which is not stored anywhere."""
        plain = cls.SCHEME + secrets.token_urlsafe(32)
        cls.objects.create(
            user=user,
            name=name,
            prefix=plain[:10],
            digest=cls.digest_of(plain),
            expires_at=expires_at,
            scope=scope,
        )
        return plain

    def allows(self, permission: Permission) -> bool:
        """Whether its scope includes a permission; its owner's role has to grant it as well."""
        return permission in SCOPES.get(self.scope, frozenset())


class IdempotencyKey(models.Model):
    """One POST that a client may safely send again. `status` is empty while it is in flight."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255, help_text="The Idempotency-Key header.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status of the answer.")
    headers = models.JSONField(default=dict, help_text="Location and ETag of the answer.")
    body = models.BinaryField(default=bytes, help_text="The answer's body, JSON.")
    content_type = models.CharField(max_length=100, default="application/json")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="access_idempotency_key_once")
        ]

    def __str__(self) -> str:
        return self.key


class SavedLinkQuerySet(models.QuerySet["SavedLink"]):
    """Finders for saved links."""

    def of(self, user: User, *, place: str) -> SavedLinkQuerySet:
        """One person's links to one page, by name."""
        return self.filter(user=user, place=place).order_by("name")


class SavedLink(models.Model):
    """What somebody looks for again and again on one page, under a name of their own."""

    MOST: ClassVar[int] = 30

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_links")
    place = models.CharField(max_length=20, help_text='The page, such as "jobs".')
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, help_text="What its search box says.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedLinkQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "place", "name"], name="saved_link_once")
        ]

    def __str__(self) -> str:
        return self.name
