"""Deployment mistakes as Django system checks, each with an id and a fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from console import env

_BROKERS = ("redis://", "rediss://", "amqp://", "amqps://", "memory://", "sentinel://")


def environment(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E001: a variable that could not be read; its default is in force."""
    return [
        checks.Error(
            f"{problem.name}={problem.shown!r} cannot be used.",
            hint=f"Set {problem.name} to {problem.hint}.",
            id="console.E001",
        )
        for problem in env.problems
    ]


def broker(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E003: a broker that Celery cannot use."""
    if settings.CELERY_BROKER_URL.startswith(_BROKERS):
        return []
    scheme = settings.CELERY_BROKER_URL.partition(":")[0]
    return [
        checks.Error(
            f"CELERY_BROKER_URL has the scheme {scheme!r}, which Celery cannot use.",
            hint="Use redis://host:6379/0 (Valkey or Redis) or amqp://user:password@host// "
            "(RabbitMQ).",
            id="console.E003",
        )
    ]


def secret_key(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.W002: a generated key signs everybody out at every restart."""
    if not settings.SECRET_KEY_IS_GENERATED:
        return []
    return [
        checks.Warning(
            "SECRET_KEY is not set: a new one is made at every start, and signs everybody out.",
            hint="Set SECRET_KEY (or SECRET_KEY_FILE) to at least 50 random characters.",
            id="console.W002",
        )
    ]


def register() -> None:
    """Registers every check of the frame."""
    for check in (environment, broker, secret_key):
        checks.register(check, "headroom")
