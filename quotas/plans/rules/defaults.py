"""What containers are given that name no request or limit. Pure.

The API server refuses a pod that names nothing in a few cases only: a quota on the CPU or memory of
the pods that it counts (quotas on other things demand nothing), and a LimitRange's pod maximum, pod
minimum or ratio. Where a plan counts a resource and such pods would be refused, they are given a
default that the plan's own quotas and ranges accept, if there is one. Where it is not counted, the
plan may want people to name what they use: nothing is added, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from quotas.plans.limits import format_limit, parse_key

Limits = Mapping[str, int | None]

RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_MI: Final = 2**20
REQUEST_GIVEN: Final = {"cpu": 100, "memory": 128 * _MI, "ephemeral-storage": 256 * _MI}
"""Requests given to containers that name none: small enough to fit nearly every quota."""
LIMIT_GIVEN: Final = {"cpu": 500, "memory": 256 * _MI, "ephemeral-storage": 1024 * _MI}
"""Limits given to containers that name none: room to start, without hurting the neighbours."""
DEMANDED: Final = ("cpu", "memory")
"""Of these every pod that a quota counts has to name what the quota counts."""
EFFECTS: Final = {
    "memory": "a container that uses more is killed",
    "ephemeral-storage": "a pod that writes more to its local disk, logs included, is evicted",
}
"""What a limit does to whoever uses more than it, where that is worse than being slowed down."""
_NO_NAMES: Final = ("BestEffort", "NotBestEffort")
"""Scopes of quotas that count no pod which names nothing, or ask it for nothing."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know about the defaults of one resource, at the limit `field`. `code`:
    default_added, no_default_fits (pods that name nothing are refused all the same) or
    names_demanded (they are refused, and nothing is added)."""

    field: str
    code: str
    message: str
    resource: str


@dataclass(frozen=True, slots=True)
class Defaults:
    """What is added to a plan, by limit key in base units, and what there is to know of it."""

    added: Mapping[str, int]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why the API server refuses a pod that names nothing: the limit that does it, and the reason
    without a full stop. `unnamed` when it is because the pod is given nothing either."""

    key: str
    why: str
    unnamed: bool = False


@dataclass(frozen=True, slots=True)
class _Pair:
    """What a container that names nothing requests and is limited to; None for neither."""

    request: int | None
    limit: int | None


def defaults(limits: Limits) -> Defaults:
    """What pods that name nothing need in order to be accepted. Keys must be normalised."""
    added: dict[str, int] = {}
    notes: list[Note] = []
    for resource in RESOURCES:
        sheet = _ResourceLimits(limits, resource)
        new, further = _of_resource(sheet)
        added |= new
        notes += further
    return Defaults(added, tuple(notes))


def with_defaults(limits: Limits) -> dict[str, int | None]:
    """`limits` with what is added to them."""
    return {**limits, **defaults(limits).added}


def limit_effects(limits: Limits) -> dict[str, str]:
    """What becomes of pods that name no limit and use more than they are given, by limit key: said
    where they are killed or evicted for it."""
    filled = with_defaults(limits)
    effects = {}
    for resource, effect in EFFECTS.items():
        sheet = _ResourceLimits(filled, resource)
        if (limit := sheet.given.limit) is not None:
            key = sheet.key("container", "default" if sheet.default is not None else "max")
            effects[key] = (
                f"{_shown(key, limit)}: containers that name no {resource} limit get this one, and"
                f" {effect}."
            )
    return effects


# -- what a plan says of one resource ------------------------------------------------------------


class _ResourceLimits:
    """The limits of a plan that say something about one resource."""

    def __init__(self, limits: Limits, resource: str) -> None:
        self.resource = resource
        self._limits = limits
        self.request = self._of("container", "defaultRequest")
        self.default = self._of("container", "default")
        self.least, self.most = self._of("container", "min"), self._of("container", "max")
        self.pod_least, self.pod_most = self._of("pod", "min"), self._of("pod", "max")
        ratios = [
            (value, self.key(kind, "maxLimitRequestRatio"))
            for kind in ("container", "pod")
            if (value := self._of(kind, "maxLimitRequestRatio"))
        ]
        self.ratio = min(ratios)[0] if ratios else None
        self.ratio_key = min(ratios)[1] if ratios else ""
        self.requests = self._quotas("requests")
        self.limits = self._quotas("limits")

    def _of(self, kind: str, field: str) -> int | None:
        return self._limits.get(self.key(kind, field))

    def key(self, kind: str, field: str) -> str:
        return f"{kind}.{field}.{self.resource}"

    def _quotas(self, side: str) -> list[tuple[int, str]]:
        """The quotas above 0, smallest first, that count pods which name nothing. Below a quota of
        0 no pod can start, whatever it is given."""
        named = f"{side}.{self.resource}"
        return sorted(
            (value, key)
            for key, value in self._limits.items()
            if value and key.partition("@")[0] == named and _asks(key)
        )

    @property
    def counted(self) -> bool:
        """Whether a quota counts the resource."""
        return bool(self.requests or self.limits)

    @property
    def given(self) -> _Pair:
        """What the API server gives by itself: a maximum is a default, a default a request, and so
        is a minimum."""
        limit = self.most if self.default is None else self.default
        request = limit if self.request is None else self.request
        return _Pair(self.least if request is None else request, limit)

    @property
    def request_demanded(self) -> str:
        """Because of which limit a request has to be named; empty when it need not be."""
        quota = self.requests[0][1] if self.requests and self.resource in DEMANDED else ""
        pod = self.key("pod", "min") if self.pod_least is not None else ""
        return quota or pod or self.ratio_key

    @property
    def limit_demanded(self) -> str:
        """Because of which limit a limit has to be named; empty when it need not be."""
        quota = self.limits[0][1] if self.limits and self.resource in DEMANDED else ""
        pod = self.key("pod", "max") if self.pod_most is not None else ""
        return quota or pod or self.ratio_key


@lru_cache(maxsize=4096)
def _asks(key: str) -> bool:
    """Whether a quota counts pods that name nothing."""
    return not any(scope.name in _NO_NAMES for scope in parse_key(key).scopes)


# -- what is added -------------------------------------------------------------------------------


def _of_resource(sheet: _ResourceLimits) -> tuple[dict[str, int], list[Note]]:
    refusal = _refusal(sheet, sheet.given)
    if refusal is None:
        return {}, []
    pair = _fitting(sheet) if sheet.counted else None
    if pair is not None:
        added = _to_write(sheet, pair)
        return added, [_added_note(key, value, refusal.why) for key, value in added.items()]
    what = sheet.resource
    if refusal.unnamed and not sheet.counted:
        code, end = "names_demanded", f"and the plan gives no default: pods that name no {what} are"
    else:
        code, end = "no_default_fits", f"and no default fits the plan: pods that name no {what} are"
    return {}, [Note(refusal.key, code, f"{refusal.why}, {end} refused.", what)]


def _refusal(sheet: _ResourceLimits, pair: _Pair) -> _Refusal | None:
    """Why a pod of one container that names nothing and is given this is refused; None when it is
    accepted."""
    return next(_refusals(sheet, pair), None)


def _refusals(sheet: _ResourceLimits, pair: _Pair) -> Iterator[_Refusal]:
    if pair.request is None and (key := sheet.request_demanded):
        yield _Refusal(key, f"{key} refuses pods that name no request", unnamed=True)
    if pair.limit is None and (key := sheet.limit_demanded):
        yield _Refusal(key, f"{key} refuses pods that name no limit", unnamed=True)
    for key, bound, value in (*_outside_of_ranges(sheet, pair), *_above_quotas(sheet, pair)):
        why = f"{_shown(key, bound)} refuses pods that are given {_amount(key, value)}"
        yield _Refusal(key, why)
    request, limit, ratio = pair.request, pair.limit, sheet.ratio
    if ratio and request is not None and limit is not None and limit * 1000 > ratio * request:
        why = f"{_shown(sheet.ratio_key, ratio)} refuses pods with these defaults"
        yield _Refusal(sheet.ratio_key, why)


def _outside_of_ranges(sheet: _ResourceLimits, pair: _Pair) -> Iterator[tuple[str, int, int]]:
    """Every (limit, its value, what is given) that does not go together."""
    for value, bound, kind, field in (
        (pair.request, sheet.least, "container", "min"),
        (pair.request, sheet.pod_least, "pod", "min"),
        (pair.limit, sheet.most, "container", "max"),
        (pair.limit, sheet.pod_most, "pod", "max"),
        (pair.request, sheet.pod_most, "pod", "max"),
    ):
        if value is None or bound is None:
            continue
        if value < bound if field == "min" else value > bound:
            yield sheet.key(kind, field), bound, value


def _above_quotas(sheet: _ResourceLimits, pair: _Pair) -> Iterator[tuple[str, int, int]]:
    for value, quotas in ((pair.request, sheet.requests), (pair.limit, sheet.limits)):
        if value is not None and quotas and value > quotas[0][0]:
            most, key = quotas[0]
            yield key, most, value


def _fitting(sheet: _ResourceLimits) -> _Pair | None:
    """A default that is accepted, as near as can be to what is usually given; None when there is
    none. What the plan itself gives stays."""
    highest_request = _least_of(sheet.most, sheet.pod_most, *_values(sheet.requests))
    lowest_request = max(sheet.least or 0, sheet.pod_least or 0)
    limit = sheet.default
    if limit is None and (sheet.limit_demanded or sheet.most is not None):
        known = sheet.request if sheet.request is not None else highest_request
        by_ratio = known * sheet.ratio // 1000 if sheet.ratio and known is not None else None
        highest = _least_of(sheet.most, sheet.pod_most, *_values(sheet.limits), by_ratio)
        lowest = max(lowest_request, sheet.request or 0)
        limit = _clamped(LIMIT_GIVEN[sheet.resource], lowest, highest)
    request = sheet.request
    if request is None:
        by_ratio = -(-limit * 1000 // sheet.ratio) if sheet.ratio and limit is not None else 0
        highest = _least_of(highest_request, limit)
        request = _clamped(REQUEST_GIVEN[sheet.resource], max(lowest_request, by_ratio), highest)
    if not sheet.request_demanded and sheet.request is None:
        # The API server's own completion will do, where it is accepted.
        own = _Pair(limit if limit is not None else sheet.least, limit)
        if _refusal(sheet, own) is None:
            return own
    if limit is not None and request > limit:
        return None
    pair = _Pair(request, limit)
    return pair if _refusal(sheet, pair) is None else None


def _to_write(sheet: _ResourceLimits, pair: _Pair) -> dict[str, int]:
    """What has to be said in the LimitRange, so that the API server gives just this."""
    added: dict[str, int] = {}
    if pair.limit is not None and pair.limit != sheet.given.limit:
        added[sheet.key("container", "default")] = pair.limit
    completed = sheet.least if pair.limit is None else pair.limit
    own = completed if sheet.request is None else sheet.request
    if pair.request is not None and pair.request != own:
        added[sheet.key("container", "defaultRequest")] = pair.request
    return added


def _added_note(key: str, value: int, why: str) -> Note:
    resource = key.rsplit(".", 1)[1]
    effect = EFFECTS.get(resource, "") if ".default." in key else ""
    ends = f"; {effect}." if effect else "."
    message = (
        f"{why}, and the plan gives no default that fits, so containers are given"
        f" {_amount(key, value)} by {key}{ends}"
    )
    return Note(key, "default_added", message, resource)


def _clamped(wanted: int, lowest: int, highest: int | None) -> int:
    return max(lowest, wanted if highest is None else min(wanted, highest))


def _least_of(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _values(quotas: list[tuple[int, str]]) -> list[int]:
    return [value for value, _ in quotas]


def _amount(key: str, value: int) -> str:
    return format_limit(parse_key(key), value)


def _shown(key: str, value: int) -> str:
    return f"{key} ({_amount(key, value)})"
