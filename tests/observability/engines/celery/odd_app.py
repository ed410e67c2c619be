"""A Celery app whose tasks end in unusual ways.

`BROKER=redis://… celery -A tests.observability.engines.celery.odd_app worker -E -Q QUEUE`
"""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery
from celery.exceptions import Ignore, Reject

app = Celery("odd", broker=os.environ.get("BROKER", "redis://127.0.0.1:6379/1"))
app.conf.update(
    broker_read_url=app.conf.broker_url,
    broker_write_url=app.conf.broker_url,
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_track_started=True,
    task_acks_late=True,
    result_backend="cache+memory://",
)


@app.task(name="odd.ignored")
def ignored() -> None:
    """Ends without a word."""
    raise Ignore


@app.task(name="odd.rejected", acks_late=True)
def rejected() -> None:
    """Is not to be delivered again."""
    raise Reject("not ours", requeue=False)


@app.task(name="odd.plain")
def plain(number: int = 0) -> int:
    """Succeeds."""
    return number


@app.task(name="odd.replaced", bind=True)
def replaced(self: Any) -> None:
    """Goes on as another task under its own id."""
    raise self.replace(plain.s(5).set(queue=self.request.delivery_info["routing_key"]))


@app.task(name="odd.long")
def long(seconds: float) -> None:
    """Runs without a word."""
    time.sleep(seconds)  # clock: as long as it is asked to


@app.task(name="odd.nan", bind=True)
def nan(self: Any) -> None:
    """Says something that is no JSON."""
    self.send_event("task-progress", done=10, total=100, text="loss", loss=float("nan"))


@app.task(name="odd.surrogate")
def surrogate() -> None:
    """Fails with a file name that is not UTF-8."""
    raise ValueError("cannot open report-\udce9.csv")
