"""Errors of a database that is only busy or away for now: the request is asked for again later."""

from __future__ import annotations

import sqlite3
from typing import Final

from django.db import InterfaceError, OperationalError

RETRY_AFTER: Final = 5
"""Seconds after which asking again is sensible."""

_SQLITE: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
# SQLSTATE classes: connection lost, transaction rolled back (serialization, deadlock), out of
# resources (connections, memory, disk), stopped by an operator or a timeout.
_CLASSES: Final = ("08", "40", "53", "57")
_LOCK_NOT_AVAILABLE: Final = "55P03"


def is_unavailable(error: BaseException | None) -> bool:
    """Whether `error` is Django's about a database that is locked, overloaded or not reachable.

    What repeating does not mend is none of these: a missing table, a wrong statement.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # Extended codes say more in their higher bits.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE
    # PostgreSQL gives no state where there is no connection (any more).
    state = getattr(cause, "sqlstate", None)
    return state is None or state == _LOCK_NOT_AVAILABLE or state.startswith(_CLASSES)
