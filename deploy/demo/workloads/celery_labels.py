"""What a Celery app imports so that Headroom knows whose its tasks are. Copy it as it is.

Celery's events carry no headers. So the worker says for each task that it receives which queue it
came from and what its `headroom_…` headers say (one small event beside Celery's own), and tasks
that a task sends inherit the headers. The worker has to send events (`-E`).

    apply_async(args, queue="acme-tasks", headers={"headroom_tenant": "acme"})
"""

from __future__ import annotations

from typing import Any

from celery import current_task, signals

LABELS = {
    "headroom_tenant": "tenant",
    "headroom_parent_run": "parent_run",
    "headroom_request_id": "request_id",
    "headroom_trace_id": "trace_id",
}


@signals.before_task_publish.connect
def inherit(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Hands the labels of the task that runs on to the tasks that it sends."""
    running: Any = current_task
    if headers is None or not running:
        return
    own = running.request.headers or {}
    for name in LABELS:
        if own.get(name):
            headers.setdefault(name, own[name])


@signals.task_received.connect
def tell(request: Any, **_: Any) -> None:
    """Sends `task-headroom` for a task that a worker has received."""
    headers = request.request_dict
    labels = {short: headers[name] for name, short in LABELS.items() if headers.get(name)}
    queue = (request.delivery_info or {}).get("routing_key") or ""
    request.send_event("task-headroom", queue=queue, **labels)
