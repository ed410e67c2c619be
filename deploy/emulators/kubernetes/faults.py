"""Troubles that a test can ask for, and the count of what was requested."""

import asyncio
from collections import Counter

from deploy.emulators.kubernetes.errors import ApiError

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Faults:
    """State shared by the test's thread and the loop; every field is read and set at once."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.latency_seconds = 0.0
        self.hang_seconds = 0.0
        self._failures = 0
        self._error: tuple[int, float | None, str, str] = (500, None, "", "")

    def fail(self, count: int, error: tuple[int, float | None, str, str]) -> None:
        """Refuse the next `count` requests with (status, retry_after, verb, resource)."""
        self._error = error
        self._failures = count

    async def strike(self, verb: str, resource: str) -> None:
        """Count a request; wait or raise ApiError as asked for."""
        self.requests[(verb, resource)] += 1
        wait = self.latency_seconds + self.hang_seconds
        if wait:
            await asyncio.sleep(wait)
        status, retry_after, only_verb, only_resource = self._error
        concerns = only_verb in ("", verb) and only_resource in ("", resource)
        if self._failures > 0 and concerns:
            self._failures -= 1
            details = {} if retry_after is None else {"retryAfterSeconds": retry_after}
            headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
            message = f"failure injected by a test ({self._failures} left)"
            reason = _REASONS.get(status, "")
            raise ApiError(status, reason, message, details=details, headers=headers)
