"""The Celery application: `celery -A console worker|beat`, and the one way to enqueue."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Final

import structlog
from celery import Celery, Task
from celery.signals import beat_init, celeryd_init, worker_ready
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError

from console import deadline, linux
from console.database import memory
from console.loops.contracts import WORKER
from console.loops.services import started, tick_of_task
from console.publisher import BrokerHangs, publisher
from console.request import current_request_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
# They would import every page and its forms into each worker; `manage.py check` is for that.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

LONGEST_SECONDS: Final = 5.0
"""How long a loop waits for the broker to take a message."""
HURRIED_SECONDS: Final = 2.0
"""The same for a request, as far as its deadline leaves that, but at least SHORTEST_SECONDS."""
SHORTEST_SECONDS: Final = 0.2

log = structlog.get_logger(__name__)


class RequestTask(Task):  # type: ignore[type-arg]  # generic in its stubs only
    """A task that runs under the id of the request that caused it, for ledger and logs."""

    abstract = True
    Request = "console.broker_loss:Delivery"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the task with `current_request_id` set: the sender's, else the task's own id."""
        headers = self.request.headers or {}
        request_id = headers.get("request_id") or self.request.id or ""
        token = current_request_id.set(request_id)
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id, task=self.name):
                result = super().__call__(*args, **kwargs)
                tick_of_task(self.name)
                return result
        finally:
            current_request_id.reset(token)


class Application(Celery):
    """Celery with a beat of our own."""

    @property
    def Beat(self) -> Any:  # noqa: N802 - Celery's name for it
        """What `beat` runs."""
        return self.subclass_with_self("console.lean_beat:LeanBeat")  # type: ignore[arg-type]  # a path, as Celery itself gives


app = Application("headroom", task_cls=RequestTask, fixups=["console.kept_connections:fixup"])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.worker_consumer = "console.broker_loss:PatientConsumer"
app.autodiscover_tasks()


def enqueue_round(name: str) -> bool:
    """Sends what an entry of CELERY_BEAT_SCHEDULE names, as the scheduler would; False when the
    broker is away."""
    entry = settings.CELERY_BEAT_SCHEDULE[name]
    return _send(entry["task"], (), {}, expires=entry.get("options", {}).get("expires"))


@celeryd_init.connect
@beat_init.connect
def _prepare(**_: Any) -> None:
    linux.prepare_process()
    memory.keep_little()


@worker_ready.connect
def _note_start(**_: Any) -> None:
    started(WORKER)
    connection.close()  # the processes of a pool are not to inherit it


def enqueue(name: str, *args: Any, **kwargs: Any) -> bool:
    """Sends a task by name, under the current request id; False when the broker is away.

    It never raises for that: whatever a task would do is also found by the next tick or sweep.
    """
    return _send(name, args, kwargs)


def _send(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, expires: float | None = None
) -> bool:
    """In the publisher's thread, and not waited for longer than it may: whoever sends is a loop, or
    a request that tells of what is committed already."""
    headers = {"request_id": current_request_id.get()}
    send = partial(
        app.send_task,
        name,
        args=args,
        kwargs=kwargs,
        headers=headers,
        retry=False,
        expires=expires,
    )
    left = deadline.left()
    within = LONGEST_SECONDS if left is None else max(min(left, HURRIED_SECONDS), SHORTEST_SECONDS)
    try:
        publisher.publish(send, within=within)
    except (OperationalError, BrokerHangs) as error:
        log.warning("enqueue.failed", name=name, args=args, error=str(error))
        return False
    return True
