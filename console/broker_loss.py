"""How a worker survives its broker: what it was given then is the broker's again.

With a message unanswered, losing a Redis or Valkey ended the whole worker (seen on Celery 5.7 with
kombu 5.7: the channel is asked to restore and acknowledge messages after its connection was taken
away). Nothing needs to be restored: what waits is in rows, and the next tick finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.request import Request
from django.db import connection

from console.loops import services
from console.loops.contracts import BROKER


class Delivery(Request):
    """A message to this worker, answered only as long as the connection that it came by is there.

    The answer itself is guarded, not the call for it: it is sent later, by the worker's loop.
    """

    def __init__(self, message: Any, **rest: Any) -> None:
        for name in ("ack", "reject"):
            setattr(message, name, _while_connected(message, getattr(message, name)))
        super().__init__(message, **rest)


class PatientConsumer(Consumer):
    """Gives nothing back over a connection that is gone, and tells other workers nothing of itself:
    what they need to know of one another is in rows, and a message every two seconds to nobody
    costs a quarter of what an idle worker needs. `-E` brings those messages back, for monitors."""

    def __init__(self, *args: Any, **options: Any) -> None:
        chosen = dict(options.pop("worker_options", None) or {})
        if not chosen.get("task_events"):
            chosen |= {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        super().__init__(*args, **{**options, "worker_options": chosen})

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Called between losing the broker and looking for it again."""
        transport = self.connection.transport if self.connection else None
        for channel in list(getattr(transport, "channels", None) or ()):
            channel.do_restore = False
        services.interrupted(BROKER)
        connection.close()
        super().on_connection_error_after_connected(exc)


def _while_connected(message: Any, answer: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **options: Any) -> Any:
        connection = getattr(message.channel, "connection", None)
        # A channel of kombu's own kind has a transport there, and that loses its `client`.
        if connection is None or getattr(connection, "client", connection) is None:
            return None
        return answer(*args, **options)

    return guarded
