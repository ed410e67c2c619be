"""The client for a Celery target."""

from __future__ import annotations

from console.clients import pool
from console.clients.celery.client import CeleryClient
from tenants.contracts import TargetRef


def client_for(target: TargetRef) -> CeleryClient:
    """This process's client for the broker behind a target."""
    options = {
        name: str(target.options[name])
        for name in ("control_exchange", "event_exchange")
        if target.options.get(name)
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
