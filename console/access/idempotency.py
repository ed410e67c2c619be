"""POSTs that are safe to repeat."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, transaction
from django.http import Http404, HttpResponse
from django.http.request import RawPostDataException
from django.utils import timezone
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.request import Request

from console.access.models import ApiToken, IdempotencyKey, User
from console.access.retention import IDEMPOTENCY_KEPT
from console.errors import DomainError, ExternalError

if TYPE_CHECKING:
    from rest_framework.views import APIView

    _View = APIView
else:
    # rest_framework.views imports what this package gives it by default: a mixin needs no base.
    _View = object

_LONGEST_REQUEST = timedelta(minutes=15)
_MAX_KEY = 255


class Idempotent(_View):
    """POST with an Idempotency-Key: the same key and body gives the first answer again.

    Another body under the same key is 422 `idempotency_key_reused`; one still in flight is 409
    `request_in_flight`. One that did not answer for longer than any request takes is 409
    `request_lost`: its process is gone, and since nobody knows how far it came it is not done
    again by itself. Should it answer after all, that answer counts. Keys are per user, and one that
    was used with a token of another scope counts as another request: an answer is only given again
    to whoever might have asked for it. Keys are forgotten after 24 hours. What was refused for want
    of a right (401, 403) and 5xx answers are not kept.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After sign-in and permission: claims the key, or replays its answer."""
        super().initial(request, *args, **kwargs)
        self._claim: IdempotencyKey | None = None
        key = request.headers.get("Idempotency-Key", "")
        if request.method == "POST" and key and isinstance(request.user, User):
            self._claim = _claim(request, request.user, key)

    def handle_exception(self, exc: Exception) -> Any:
        """A replay is not an error."""
        if isinstance(exc, _Replay):
            return exc.response
        if getattr(self, "_claim", None) is not None and not isinstance(exc, _EXPECTED):
            _forget(cast(IdempotencyKey, self._claim))
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Keeps the answer of a claimed key."""
        response = super().finalize_response(request, response, *args, **kwargs)
        claim = getattr(self, "_claim", None)
        if claim is not None:
            response.add_post_render_callback(lambda done: _keep(claim, done))
        return response


_EXPECTED = (DomainError, ExternalError, APIException, Http404, PermissionDenied)


class _Replay(Exception):
    def __init__(self, response: HttpResponse) -> None:
        super().__init__("replay")
        self.response = response


def _claim(request: Request, user: User, key: str) -> IdempotencyKey:
    if len(key) > _MAX_KEY or not key.isprintable():
        raise DomainError(
            "invalid_idempotency_key",
            f"Idempotency-Key is at most {_MAX_KEY} printable characters.",
            field="Idempotency-Key",
            status=400,
        )
    now = timezone.now()
    IdempotencyKey.objects.filter(user=user, created_at__lt=now - IDEMPOTENCY_KEPT).delete()
    scope = request.auth.scope if isinstance(request.auth, ApiToken) else ""
    text = f"{request.method} {request.get_full_path()}\n{scope}\n".encode()
    digest = hashlib.sha256(text + _body(request)).hexdigest()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(user=user, key=key, digest=digest, created_at=now)
    except IntegrityError:
        known = IdempotencyKey.objects.filter(user=user, key=key).first()
        if known is None:  # the first one has failed just now and left it
            raise _in_flight() from None
        return _answer_again(known, digest, now)


def _body(request: Request) -> bytes:
    try:
        return bytes(request._request.body)
    except RawPostDataException as error:
        # Reading the CSRF token from a form consumes it; forms are not accepted here anyway.
        raise UnsupportedMediaType(request.content_type) from error


def _answer_again(known: IdempotencyKey, digest: str, now: datetime) -> IdempotencyKey:
    """Raises the kept answer, or says why there is none."""
    if known.digest != digest:
        raise DomainError(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request, or by a token of another scope; "
            "take a new one.",
            field="Idempotency-Key",
        )
    if known.status is None:
        raise _lost() if known.created_at < now - _LONGEST_REQUEST else _in_flight()
    response = HttpResponse(
        bytes(known.body),
        status=known.status,
        content_type=known.content_type,
        headers={**known.headers, "Idempotent-Replayed": "true"},
    )
    raise _Replay(response)


def _in_flight() -> DomainError:
    return DomainError(
        "request_in_flight",
        "The first request with this Idempotency-Key has not ended yet; ask again soon.",
        field="Idempotency-Key",
        status=409,
    )


def _lost() -> DomainError:
    return DomainError(
        "request_lost",
        "The first request with this Idempotency-Key ended without an answer. It may have been "
        "carried out or not: look at what it was about, then ask with a new key.",
        field="Idempotency-Key",
        status=409,
    )


def _keep(claim: IdempotencyKey, response: Any) -> None:
    if response.status_code >= 500 or response.status_code in (401, 403):
        return _forget(claim)
    claim.status = response.status_code
    claim.headers = {name: response[name] for name in ("Location", "ETag") if name in response}
    claim.body = response.content
    claim.content_type = response.get("Content-Type", "application/json")
    claim.save(update_fields=["status", "headers", "body", "content_type"])
    return None


def _forget(claim: IdempotencyKey) -> None:
    # Where the database takes nothing just now, that is what the caller is to learn.
    with suppress(OperationalError):
        claim.delete()
