"""Verbs about people and tokens. Each is one ledger entry in the same transaction."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from console.access.models import ApiToken, Role, TokenScope, User
from console.audit import services as audit
from console.audit.models import Entry, Outcome
from console.audit.services import Actor
from console.errors import DomainError

_FAILURES_ALLOWED = 10
_FAILURES_WITHIN = timedelta(minutes=5)


def create_user(
    *, actor: Actor, username: str, email: str, role: str, reason: str
) -> tuple[User, str]:
    """A new person with a one-time password, which is returned here and shown once."""
    if User.objects.filter(username__iexact=username).exists():
        raise DomainError(
            "username_taken", f"There is already a person named {username}.", field="username"
        )
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = User.objects.create_user(
            username, email, password, role=role, password_is_one_time=True
        )
        _record(actor, "person.create", user, before=None, after=_facts(user), reason=reason)
    return user, password


def change_role(*, actor: Actor, user: User, role: str, reason: str) -> User:
    """Gives a person another role; the last admin keeps theirs (DomainError `last_admin`)."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        before = _facts(user)
        if role != Role.ADMIN:
            _keep_an_admin(user)
        user.role = role
        user.save(update_fields=["role"])
        _record(actor, "person.role", user, before=before, after=_facts(user), reason=reason)
    return user


def set_active(*, actor: Actor, user: User, active: bool, reason: str) -> User:
    """Lets a person in again, or keeps them out with all their tokens at once."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        before = _facts(user)
        if not active:
            _keep_an_admin(user)
        user.is_active = active
        user.save(update_fields=["is_active"])
        action = "person.activate" if active else "person.deactivate"
        _record(actor, action, user, before=before, after=_facts(user), reason=reason)
    return user


def reset_password(*, actor: Actor, user: User, reason: str) -> str:
    """A new one-time password, returned here and shown once; open sessions end."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user.set_password(password)
        user.password_is_one_time = True
        user.save(update_fields=["password", "password_is_one_time"])
        _record(actor, "person.password_reset", user, before=None, after=None, reason=reason)
    return password


def change_password(*, actor: Actor, user: User, current: str, new: str) -> None:
    """A person's own new password. Refused when the current one is wrong or the new one is weak."""
    if not user.check_password(current):
        raise DomainError("wrong_password", "This is not your current password.", field="current")
    if current == new:
        raise DomainError("same_password", "This is the password you have now.", field="new")
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise DomainError("weak_password", " ".join(error.messages), field="new") from error
    with transaction.atomic():
        user.set_password(new)
        user.password_is_one_time = False
        user.save(update_fields=["password", "password_is_one_time"])
        _record(actor, "person.password", user, before=None, after=None, reason="")


def issue_token(
    *,
    actor: Actor,
    user: User,
    name: str,
    expires_at: datetime | None = None,
    scope: str = TokenScope.ALL,
) -> str:
    """A token for `user`; the plain text is returned here and stored nowhere."""
    with transaction.atomic():
        plain = ApiToken.issue(user=user, name=name, expires_at=expires_at, scope=scope)
        audit.record(
            actor=actor,
            action="token.issue",
            object_type="token",
            object_id=plain[:10],
            object_label=f"{user.get_username()}/{name}",
            after={"name": name, "expires_at": expires_at, "scope": scope},
        )
    return plain


def revoke_token(*, actor: Actor, token: ApiToken) -> None:
    """Ends a token at once; revoking it again changes nothing."""
    now = timezone.now()
    with transaction.atomic():
        open_tokens = ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True)
        if open_tokens.update(revoked_at=now) == 1:
            audit.record(
                actor=actor,
                action="token.revoke",
                object_type="token",
                object_id=token.prefix,
                object_label=f"{token.user.get_username()}/{token.name}",
            )


def sign_in_failed(*, username: str) -> None:
    """Writes a failed sign-in to the ledger, under the name that was tried."""
    audit.record(
        actor=Actor.command("sign-in"),
        action="session.refused",
        object_type="person",
        object_id=username[:64],
        object_label=username,
        outcome=Outcome.REFUSED,
        message="Wrong user name or password.",
    )


def must_wait(*, username: str, at: datetime) -> bool:
    """True when so many sign-ins under this name failed lately that guessing must be assumed."""
    failed = Entry.objects.filter(
        object_type="person",
        object_id=username[:64],
        at__gte=at - _FAILURES_WITHIN,
        action="session.refused",
    )
    return failed.count() >= _FAILURES_ALLOWED


def _keep_an_admin(user: User) -> None:
    others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=user.pk)
    if user.role == Role.ADMIN and user.is_active and not others.exists():
        raise DomainError(
            "last_admin",
            f"{user.get_username()} is the last admin; make somebody else an admin first.",
            status=409,
        )


def _facts(user: User) -> dict[str, Any]:
    return {"email": user.email, "role": user.role, "active": user.is_active}


def _record(actor: Actor, action: str, user: User, *, before: Any, after: Any, reason: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="person",
        object_id=user.pk,
        object_label=user.get_username(),
        before=before,
        after=after,
        reason=reason,
    )
