"""The process that reads every target: a thread each, so that none waits for another.

Several replicas may run: each target's stream is read by the one that holds its claim.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Collection
from typing import Final

import structlog
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
)
from django.utils import timezone

from console.backoff import backoff
from console.errors import ExternalError
from console.loops.contracts import INGEST, WRITE_SECONDS
from console.loops.services import started, tick
from observability.engines.registry import source_for
from observability.ingest.claims import ClaimLost, ClaimWatch, StreamClaim, claimed, give_up
from observability.ingest.kept import KeptStream
from observability.ingest.reading import catch_up, note_error, read_target
from observability.ingest.stand_in import StandInThread
from tenants.models import Target

CHECK_TARGETS_SECONDS: Final = 2.0
"""Seconds between two looks at which targets there are."""
FIRST_REST: Final = 1.0
LONGEST_REST: Final = 60.0
STOP: Final = 8.0
"""Seconds that threads get to finish what they are at."""

_PAUSE: Final = 0.5
_ELSEWHERE: Final = "another process reads it"

log = structlog.get_logger(__name__)


class TargetThread(threading.Thread):
    """Reads one target, with the settings it had when this began, until it is told to stop."""

    def __init__(self, target_id: int, generation: int, stop: threading.Event) -> None:
        super().__init__(name=f"ingest-{target_id}", daemon=True)
        self.target_id = target_id
        self.generation = generation
        self.token = ""
        self._ending = threading.Event()
        self._stop_all = stop
        self._failures = 0
        self._watch = ClaimWatch()
        self._kept = KeptStream(target_id)

    def ask_to_end(self) -> None:
        """Asks it to end at its next step."""
        self._ending.set()

    def going(self) -> bool:
        """Whether nobody asked it to end."""
        return not (self._ending.is_set() or self._stop_all.is_set())

    def run(self) -> None:
        """The thread."""
        try:
            while self.going():
                self._turn()
            if not self._stop_all.is_set():
                self._kept.forget_unwanted()
        finally:
            connection.close()

    def _turn(self) -> None:
        """Holds the claim while all is well; gives it back to rest after a failure."""
        try:
            close_old_connections()
            with claimed(self.target_id, self._watch) as claim:
                if claim is not None:
                    self.token = claim.token
                    self._read(claim)
                    return
            self._kept.stand_by()
            self._rest(random.uniform(1.0, 2.0))  # noqa: S311 - spreads replicas, no secret
        except (DatabaseError, InterfaceError) as error:
            log.warning("ingest.database", target=self.target_id, error=str(error))
            connection.close()
            self._rest_longer()

    def _read(self, claim: StreamClaim) -> None:
        while self.going() and not claim.lost:
            close_old_connections()
            try:
                read_target(
                    self.target_id,
                    token=claim.token,
                    going=lambda: self.going() and not claim.lost,
                )
            except ClaimLost:
                return
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001 - said on the target, and logged by _why
                after = error.retry_after if isinstance(error, ExternalError) else None
                self._failed(claim, _why(self.target_id, error), after)
                return
            self._failures = 0

    def _failed(self, claim: StreamClaim, message: str, retry_after: float | None) -> None:
        log.warning("ingest.away", target=self.target_id, error=message)
        note_error(self.target_id, token=claim.token, message=message, now=timezone.now())
        self._rest_longer(retry_after)

    def _rest_longer(self, at_least: float | None = None) -> None:
        self._failures = min(self._failures + 1, 10)
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
        seconds = backoff(self._failures, first=FIRST_REST, longest=LONGEST_REST, spread=spread)
        self._rest(max(seconds, min(at_least or 0.0, LONGEST_REST)))

    def _rest(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.going() and (left := deadline - time.monotonic()) > 0:
            self._ending.wait(min(left, 0.5))


class Ingest:
    """All threads of this process. `only` are slugs of targets, empty for every one."""

    def __init__(self, only: Collection[str] = ()) -> None:
        self.stopping = threading.Event()
        self._only = frozenset(only)
        self._threads: dict[int, TargetThread] = {}

    def stop(self) -> None:
        """Asks everything to end; may be called from a signal handler."""
        self.stopping.set()

    def run(self) -> None:
        """Reads until `stop`; follows targets that come, change and go within seconds."""
        log.info("ingest.started")
        started(INGEST)
        StandInThread(self.stopping).start()
        ticks_at = 0.0
        while not self.stopping.is_set():
            try:
                close_old_connections()
                self._follow(targets(self._only))
                if time.monotonic() >= ticks_at:
                    tick(INGEST)
                    ticks_at = time.monotonic() + WRITE_SECONDS / 2
            except (DatabaseError, InterfaceError) as error:
                log.warning("ingest.database", error=str(error))
                connection.close()
            self.stopping.wait(CHECK_TARGETS_SECONDS)
        self._end()
        log.info("ingest.stopped")

    def _follow(self, wanted: dict[int, int]) -> None:
        for pk, thread in list(self._threads.items()):
            if not thread.is_alive():
                del self._threads[pk]
            elif wanted.get(pk) != thread.generation:
                thread.ask_to_end()  # begins again, with the new settings, once it has ended
        for pk, generation in wanted.items():
            if pk not in self._threads:
                self._threads[pk] = TargetThread(pk, generation, self.stopping)
                self._threads[pk].start()

    def _end(self) -> None:
        deadline = time.monotonic() + STOP
        for thread in self._threads.values():
            thread.ask_to_end()
        for thread in self._threads.values():
            thread.join(max(deadline - time.monotonic(), 0.0))
        for thread in self._threads.values():
            if thread.is_alive() and thread.token:
                # It waits for an engine. What it was at is not stored, so nothing is lost.
                log.info("ingest.left", target=thread.target_id)
                give_up(thread.target_id, thread.token)


def targets(only: Collection[str] = ()) -> dict[int, int]:
    """The generations of targets that are to be read, by id."""
    rows = Target.objects.filter(enabled=True)
    if only:
        rows = rows.filter(slug__in=only)
    return {
        pk: generation
        for pk, kind, generation in rows.values_list("pk", "kind", "generation")
        if source_for(kind) is not None
    }


def read_once(only: Collection[str] = ()) -> dict[int, str]:
    """Reads each target until it has caught up, one after the other; what went wrong, by id."""
    problems = {pk: _catch_up(pk) for pk in targets(only)}
    return {pk: problem for pk, problem in problems.items() if problem}


def _catch_up(target_id: int) -> str:
    watch = ClaimWatch()
    while not watch.renewed:
        with claimed(target_id, watch) as claim:
            if claim is not None:
                return _caught_up(target_id, claim)
        time.sleep(_PAUSE)  # whoever holds it may be dead: somebody alive renews it soon
    return _ELSEWHERE


def _caught_up(target_id: int, claim: StreamClaim) -> str:
    try:
        catch_up(target_id, token=claim.token, going=lambda: not claim.lost)
    except ClaimLost:
        return _ELSEWHERE
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - said on the target, and logged by _why
        message = _why(target_id, error)
        note_error(target_id, token=claim.token, message=message, now=timezone.now())
        return message
    return ""


def _why(target_id: int, error: Exception) -> str:
    """Why a target cannot be read; what is no engine's doing is logged with its stack."""
    if isinstance(error, ExternalError):
        return error.message or error.code
    log.error("ingest.failed", target=target_id, exc_info=error)
    return f"Unexpected: {type(error).__name__}: {error}"
