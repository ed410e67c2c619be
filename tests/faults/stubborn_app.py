"""A Celery app whose workers answer an order of a rate with "ok" and keep another one.

`BROKER=redis://… celery -A tests.faults.stubborn_app worker -E -Q QUEUE`
"""

from __future__ import annotations

from typing import Any

from celery.worker.control import control_command

from deploy.demo.workloads.celery_tasks import app

__all__ = ["app"]
KEPT = "99/s"


@control_command(args=[("task_name", str), ("rate_limit", str)])
def rate_limit(state: Any, task_name: str, rate_limit: str) -> dict[str, str]:
    """In place of Celery's own."""
    del rate_limit
    state.app.tasks[task_name].rate_limit = KEPT
    state.consumer.reset_rate_limits()
    return {"ok": "new rate limit set successfully"}
