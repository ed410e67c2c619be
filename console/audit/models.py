"""The ledger: who did what to whom, and why. Rows are written once and never change."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from console.access.models import User
from console.access.scoping import TenantScoped, tenants_of


class ActorKind(models.TextChoices):
    """Who acts: a signed-in person, an API token, one of Headroom's own loops, a command line."""

    PERSON = "person", "Person"
    KEY = "key", "API token"
    LOOP = "loop", "Headroom"
    COMMAND = "command", "Command line"


class Outcome(models.TextChoices):
    """How it ended."""

    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"


class EntryQuerySet(TenantScoped["Entry"]):
    """An entry says by its slug whom it concerns."""

    def own_of(self, user: User) -> Q:
        """What makes an entry theirs."""
        return Q(tenant__in=tenants_of(user, "tenant__slug"))


class Entry(models.Model):
    """One act. The database itself refuses UPDATE and DELETE (triggers, see the migrations)."""

    at = models.DateTimeField(help_text="When it happened, UTC.")
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    actor = models.CharField(max_length=200, help_text="User name, token name or loop name.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
    )
    action = models.CharField(max_length=60, help_text="A verb, e.g. plan.version.publish.")
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    object_label = models.CharField(max_length=255)
    tenant = models.CharField(max_length=63, blank=True, help_text="Slug of the tenant concerned.")
    before = models.JSONField(encoder=DjangoJSONEncoder, null=True, blank=True)
    after = models.JSONField(encoder=DjangoJSONEncoder, null=True, blank=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.DONE)
    message = models.TextField(blank=True, help_text="Why it was refused or failed.")

    objects = EntryQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["at", "id"], name="audit_entry_at"),
            models.Index(fields=["tenant", "at", "id"], name="audit_entry_tenant"),
            models.Index(fields=["object_type", "object_id", "at"], name="audit_entry_object"),
            models.Index(fields=["actor", "at"], name="audit_entry_actor"),
            models.Index(fields=["action", "at"], name="audit_entry_action"),
            models.Index(fields=["request_id"], name="audit_entry_request"),
        ]
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.object_label}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Inserts; an entry that exists already is never written again."""
        if not self._state.adding:
            raise TypeError("An audit entry is written once and never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG002 - Django's signature
        """Entries are never deleted."""
        raise TypeError("An audit entry is never deleted.")
