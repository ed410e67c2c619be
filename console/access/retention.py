"""What of people and machines is no longer kept: ended sessions, answers that nobody asks for
again, and tokens that have not been usable for long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Q

from console.access.models import ApiToken, IdempotencyKey
from console.database.pruning import prune

IDEMPOTENCY_KEPT: Final = timedelta(hours=24)
"""So long the answer to a POST with an Idempotency-Key can be had again."""


def prune_sessions(now: datetime, until: float) -> int:
    """Sessions that have ended."""
    return prune(Session.objects.filter(expire_date__lt=now), until=until)


def prune_idempotency_keys(now: datetime, until: float) -> int:
    """Answers that are kept no longer."""
    rows = IdempotencyKey.objects.filter(created_at__lt=now - IDEMPOTENCY_KEPT)
    return prune(rows, until=until)


def prune_tokens(now: datetime, until: float) -> int:
    """Tokens that were revoked or expired long ago; the ledger has who issued them."""
    old = now - timedelta(days=settings.TOKEN_RETENTION_DAYS)
    return prune(
        ApiToken.objects.filter(Q(revoked_at__lt=old) | Q(expires_at__lt=old)), until=until
    )
