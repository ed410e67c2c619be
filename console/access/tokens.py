"""How machines sign in: bearer tokens."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from console.access.models import ApiToken, User

_TOUCH_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer hr_…`; sets request.user and request.auth (the ApiToken)."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The token and its owner; None when no token was sent."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Send one token: Authorization: Bearer hr_…")
        now = timezone.now()
        digest = ApiToken.digest_of(words[1].decode("latin-1"))
        token = ApiToken.objects.usable(at=now).select_related("user").filter(digest=digest).first()
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        if token.last_used_at is None or token.last_used_at < now - _TOUCH_EVERY:
            _touch(token, now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        """What a 401 asks for."""
        return self.keyword


def _touch(token: ApiToken, now: datetime) -> None:
    """Note that the token is in use. A database that takes no writes just now costs no reader."""
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _TOUCH_EVERY)
    with suppress(OperationalError):
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
