"""The last 24 hours of used values, small enough to be read with every page."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from console.access.scoping import TenantScoped
from tenants.models import Placement

SLOT_SECONDS = 900
SLOTS = 96


class UsageSamplesQuerySet(TenantScoped["UsageSamples"]):
    """One row for each placement."""

    tenant_path = "placement__tenant"


class UsageSamples(models.Model):
    """Used values of one placement in slots of 15 minutes, newest last.

    `slot` is the number of the newest slot (UNIX time // 900). `values` maps a limit key to at
    most 96 numbers in base units; a null is a slot in which nobody looked.
    """

    placement = models.OneToOneField(
        Placement, on_delete=models.CASCADE, related_name="usage_samples"
    )
    slot = models.PositiveBigIntegerField()
    values = models.JSONField(default=dict)

    objects = UsageSamplesQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["slot"], name="usage_samples_slot")]

    def __str__(self) -> str:
        return f"{self.placement_id} @{self.slot}"
