"""What the API server says when a quota refuses something, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_EXCEEDED: Final = re.compile(
    r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<requested>.*?), used: (?P<used>.*?),"
    r" limited: (?P<limited>[^\s]*)"
)
_LONGEST: Final = 4000


@dataclass(frozen=True, slots=True)
class QuotaRefusal:
    """Which quota refused, and the amounts by resource name, as the API server wrote them."""

    quota: str
    requested: Mapping[str, str]
    used: Mapping[str, str]
    limited: Mapping[str, str]

    def detail(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "quota": self.quota,
            "requested": dict(self.requested),
            "used": dict(self.used),
            "limited": dict(self.limited),
        }

    def words(self) -> str:
        """`requests.cpu: asked 2, used 4 of 4`, for each resource."""
        return "; ".join(
            f"{name}: asked {amount}, used {self.used.get(name, '?')}"
            f" of {self.limited.get(name, '?')}"
            for name, amount in self.requested.items()
        )


def refusal_of(message: str) -> QuotaRefusal | None:
    """The refusal in a message; None when it is not one by a quota."""
    match = _EXCEEDED.search(message[:_LONGEST])
    if match is None:
        return None
    return QuotaRefusal(
        match["quota"],
        _amounts(match["requested"]),
        _amounts(match["used"]),
        _amounts(match["limited"]),
    )


def _amounts(listed: str) -> dict[str, str]:
    """`a=1,b=2` as a mapping."""
    pairs = (pair.partition("=") for pair in listed.split(","))
    return {name.strip(): amount.strip() for name, equals, amount in pairs if equals}
