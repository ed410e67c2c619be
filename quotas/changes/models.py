"""A change that somebody proposes: what it is, what it was based on, what became of it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from console.access.models import User
from console.access.scoping import TenantScoped
from quotas.enforcement.models import Rollout


class ProposalStatus(models.TextChoices):
    """Where a proposal stands. A draft has written nothing anywhere."""

    DRAFT = "draft", "Draft"
    APPLIED = "applied", "Applied"
    DISCARDED = "discarded", "Discarded"


class ProposalQuerySet(TenantScoped["Proposal"]):
    """A proposal names tenants of every kind: beside the console it is its author's alone."""

    def own_of(self, user: User) -> Q:
        """What makes a proposal theirs."""
        return Q(author=user)


class Proposal(models.Model):
    """One change with its preview. The preview's fingerprint is what applying must match."""

    kind = models.CharField(max_length=20, help_text="Class name in quotas.changes.kinds.")
    payload = models.JSONField(help_text="The change as JSON.")
    title = models.CharField(max_length=200)
    status = models.CharField(
        max_length=10, choices=ProposalStatus.choices, default=ProposalStatus.DRAFT
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    author_name = models.CharField(max_length=200)
    preview = models.JSONField(null=True, blank=True, help_text="The last preview, as JSON.")
    fingerprint = models.CharField(max_length=64, blank=True)
    previewed_at = models.DateTimeField(null=True, blank=True)
    progress = models.CharField(max_length=200, blank=True, help_text="While it is computed.")
    reason = models.TextField(blank=True)
    rollout = models.ForeignKey(
        Rollout, on_delete=models.SET_NULL, null=True, blank=True, related_name="proposals"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True, blank=True)

    objects = ProposalQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["status", "created_at", "id"], name="proposal_status")
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"
