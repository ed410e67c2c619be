"""The sparklines of a placement, as a panel that the tenant page loads by URL."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, requires
from observability.usage import charts
from observability.usage.models import SLOT_SECONDS, SLOTS, UsageSamples
from quotas.enforcement.models import PlacementState
from quotas.plans.charts import unit_of
from tenants.models import Placement


@requires(Permission.VIEW)
@require_GET
def sparks(request: SignedInRequest, pk: int) -> HttpResponse:
    """One sparkline per limit, each swapped into its own cell of the limits table."""
    placement = get_object_or_404(Placement.objects.visible_to(request.user), pk=pk)
    samples = UsageSamples.objects.visible_to(request.user).filter(placement=placement).first()
    state = PlacementState.objects.visible_to(request.user).filter(placement=placement).first()
    limits = charts.limits_of(state.limits) if state else {}
    lines = {}
    if samples is not None:
        missing = max(int(timezone.now().timestamp()) // SLOT_SECONDS - samples.slot, 0)
        lines = {
            key: charts.spark(
                charts.aligned(values, missing=missing, slots=SLOTS),
                unit=unit_of(key),
                limit=limits.get(key),
            )
            for key, values in samples.values.items()
        }
    return render(request, "usage/_sparks.html", {"placement": placement, "lines": lines})
