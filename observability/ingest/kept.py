"""Streams whose engine keeps something for us: by those who wait, too; not beyond the target."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import structlog
from django.conf import settings

from console.errors import ExternalError
from observability.engines.ports import KeptEvents
from observability.engines.registry import source_for
from observability.jobs.models import IngestState
from tenants.contracts import TargetRef
from tenants.models import Target

EVERY: Final = 10.0
"""Seconds between two looks of a replica that waits for the claim of another one."""

log = structlog.get_logger(__name__)


class KeptStream:
    """One target's, in the thread that reads it or waits for that."""

    def __init__(self, target_id: int) -> None:
        self._target_id = target_id
        self._due = 0.0
        self._last: TargetRef | None = None

    def stand_by(self) -> None:
        """Another replica reads: helps that nothing is lost with it."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY
        target = Target.objects.filter(pk=self._target_id, enabled=True).first()
        source = source_for(target.kind) if target is not None else None
        if target is not None and isinstance(source, KeptEvents):
            self._last = target.ref(timeout=settings.TARGET_TIMEOUT_SECONDS)
            try:
                source.stand_by(target=self._last, cursor=self._cursor())
            except ExternalError as error:
                log.warning("ingest.not_kept", target=target.slug, error=error.message)

    def forget_unwanted(self) -> None:
        """The thread ends: where its target is not to be read any more, nothing is kept for it."""
        target = Target.objects.filter(pk=self._target_id).first()
        if target is not None and target.enabled:
            return
        ref = self._last if target is None else target.ref(timeout=settings.TARGET_TIMEOUT_SECONDS)
        source = source_for(ref.kind) if ref is not None else None
        if ref is not None and isinstance(source, KeptEvents):
            try:
                source.forget(target=ref, cursor=self._cursor())
            except ExternalError as error:
                # The broker forgets it by itself when nobody reads it for a day.
                log.warning("ingest.not_forgotten", target=ref.slug, error=error.message)

    def _cursor(self) -> Mapping[str, Any]:
        rows = IngestState.objects.filter(target_id=self._target_id)
        return rows.values_list("cursor", flat=True).first() or {}
