"""A Celery app: the client for its broker, and what its target's options may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from console.clients import pool
from console.clients.celery.client import CeleryClient
from tenants.contracts import TargetRef

LONGEST_NAME: Final = 200
_EXCHANGE_OPTIONS: Final = ("control_exchange", "event_exchange")


def client_for(target: TargetRef) -> CeleryClient:
    """This process's client for the broker behind a target."""
    options = {
        name: str(target.options[name]) for name in _EXCHANGE_OPTIONS if target.options.get(name)
    }
    return pool.celery(
        target.endpoint,
        name=target.slug,
        credential=target.credential,
        timeout=target.timeout,
        **options,
    )


def app_name(target: TargetRef) -> str:
    """What people call the app; every run of the target has it as its location."""
    return str(target.options.get("app") or target.slug)


def options_error(options: Mapping[str, Any]) -> str:
    """What is wrong with the options of a Celery target, as a sentence; empty when nothing is.
    Names are texts."""
    for name in ("app", *_EXCHANGE_OPTIONS):
        value = options.get(name, "")
        if not isinstance(value, str) or len(value) > LONGEST_NAME:
            return f"{name}: use a text of at most {LONGEST_NAME} characters."
    return ""
