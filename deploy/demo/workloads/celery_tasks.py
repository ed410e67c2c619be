"""The sample Celery app: a queue per tenant, and tasks that end in every way.

Workers: `celery -A deploy.demo.workloads.celery_tasks worker -E -Q acme-tasks`; the broker's
address is in HEADROOM_DEMO_CELERY.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

from celery import Celery

from deploy.demo.workloads import celery_labels

BROKER = os.environ.get("HEADROOM_DEMO_CELERY", "redis://127.0.0.1:6379/1")

app = Celery("sample", broker=BROKER)
app.conf.update(
    # CELERY_BROKER_URL, which is Headroom's own in the demo's environment, would win over `broker`.
    broker_read_url=BROKER,
    broker_write_url=BROKER,
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_default_queue="acme-tasks",
    broker_connection_retry_on_startup=True,
    # As Headroom's own worker: a task ends the wait for one at once.
    broker_transport_options={"polling_interval": 4},
    worker_cancel_long_running_tasks_on_connection_loss=True,
)
# Loaded with the app: its handlers tell Headroom whose a task is.
labels = celery_labels.LABELS


class SourceError(Exception):
    """What the sample's imports fail with."""


@app.task(name="reports.build", bind=True)
def build_report(self: Any, pages: int, seconds: float = 0.2) -> str:
    """Works page by page and says how far it is."""
    for page in range(1, pages + 1):
        time.sleep(seconds)
        self.send_event("task-progress", done=page, total=pages, text=f"page {page}")
    return f"{pages} pages"


@app.task(
    name="imports.fetch",
    bind=True,
    autoretry_for=(SourceError,),
    max_retries=2,
    retry_backoff=1,
    retry_backoff_max=8,
    retry_jitter=False,
)
def fetch(self: Any, source: str, succeeds_at: int = 2) -> str:
    """Fails until its attempt number `succeeds_at`; gives up after two retries."""
    attempt = int(self.request.retries) + 1
    if attempt < succeeds_at:
        raise SourceError(f"{source} answered 503 (attempt {attempt})")
    return f"{source} fetched at attempt {attempt}"


@app.task(name="invoices.check")
def check_invoice(number: int, amount: float) -> float:
    """Fails for invoices that are below zero."""
    if amount < 0:
        raise ValueError(f"Invoice {number} has the amount {amount}")
    return amount


@app.task(name="images.resize")
def resize(picture: str, *, fatal: bool = False) -> str:
    """Kills the process that runs it, as the kernel does when memory is short."""
    time.sleep(0.1)
    if fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return picture


@app.task(name="models.train", bind=True)
def train(self: Any, epochs: int, seconds: float = 1.0) -> int:
    """Runs long, with checkpoints; there to be revoked."""
    for epoch in range(1, epochs + 1):
        time.sleep(seconds)
        loss = f"loss {random.random() / epoch:.3f}"
        self.send_event("task-progress", done=epoch, total=epochs, text=loss)
    return epochs


@app.task(name="pipeline.extract")
def extract(rows: int) -> int:
    """First of a chain."""
    return rows


@app.task(name="pipeline.transform")
def transform(rows: int) -> int:
    """Second of a chain."""
    return rows * 2


@app.task(name="pipeline.load")
def load_rows(rows: int) -> int:
    """Last of a chain."""
    return rows
