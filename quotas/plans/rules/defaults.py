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
from itertools import chain
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
_QOS_SCOPES: Final = {"BestEffort": False, "NotBestEffort": True}
"""Whether a quota of this scope counts pods that are given any CPU or memory. BestEffort asks the
pods that it counts for nothing; NotBestEffort counts no pod that is given nothing."""


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
    needed = _needed(limits, best_effort=True)
    filled = {**limits, **needed.added}
    given = [_ResourceLimits(filled, resource).given for resource in DEMANDED]
    if any(pair.request or pair.limit for pair in given):
        return _needed(limits, best_effort=False)
    return needed


def _needed(limits: Limits, *, best_effort: bool) -> Defaults:
    """The same where pods that name nothing are given no CPU or memory, or some."""
    added: dict[str, int] = {}
    notes: list[Note] = []
    for resource in RESOURCES:
        new, further = _of_resource(_ResourceLimits(limits, resource, best_effort=best_effort))
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

    def __init__(self, limits: Limits, resource: str, *, best_effort: bool = True) -> None:
        self.resource = resource
        self._limits = limits
        self._best_effort = best_effort
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
        """The quotas above 0 that count pods which name nothing: those on all pods first, then
        smallest first. Below a quota of 0 no pod can start, whatever it is given."""
        named = f"{side}.{self.resource}"
        quotas = [
            (value, key)
            for key, value in self._limits.items()
            if value
            and key.partition("@")[0] == named
            and _counts(key, best_effort=self._best_effort)
        ]
        return sorted(quotas, key=lambda quota: (_scoped(quota[1]), quota))

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
    def request_demanded(self) -> list[str]:
        """Because of which limits a request has to be named, quotas first."""
        return self._demanded(self.requests, "min", self.pod_least)

    @property
    def limit_demanded(self) -> list[str]:
        """Because of which limits a limit has to be named, quotas first."""
        return self._demanded(self.limits, "max", self.pod_most)

    def _demanded(
        self, quotas: list[tuple[int, str]], pod_field: str, of_pods: int | None
    ) -> list[str]:
        keys = [key for _, key in quotas] if self.resource in DEMANDED else []
        pod = [] if of_pods is None else [self.key("pod", pod_field)]
        return [*keys, *pod, *([self.ratio_key] if self.ratio_key else [])]

    def without_own_defaults(self) -> _ResourceLimits:
        """The same without the defaults that the plan gives itself."""
        own = {self.key("container", "default"), self.key("container", "defaultRequest")}
        others = {key: value for key, value in self._limits.items() if key not in own}
        return _ResourceLimits(others, self.resource, best_effort=self._best_effort)

    @property
    def gives_no_counted_request(self) -> bool:
        """Whether a quota demands a request and the plan, as it stands, gives none."""
        return bool(self.requests) and self.resource in DEMANDED and self.given.request is None


def _scoped(key: str) -> bool:
    """Whether the quota counts some pods only."""
    return "@" in key


@lru_cache(maxsize=4096)
def _counts(key: str, *, best_effort: bool) -> bool:
    """Whether a quota counts pods that name nothing, and asks them for anything. `best_effort`:
    they are given no CPU or memory either."""
    of_qos = [
        _QOS_SCOPES[scope.name] for scope in parse_key(key).scopes if scope.name in _QOS_SCOPES
    ]
    return not of_qos or (all(of_qos) and not best_effort)


# -- what is added -------------------------------------------------------------------------------


def _of_resource(sheet: _ResourceLimits) -> tuple[dict[str, int], list[Note]]:
    if _refusal(sheet, sheet.given) is None:
        return {}, []
    pair = _fitting(sheet)
    if pair is not None and sheet.counted:
        return _to_write(sheet, pair), _added_notes(sheet, pair)
    return {}, [_refused_note(sheet, fits=pair is not None)]


def _refused_note(sheet: _ResourceLimits, *, fits: bool) -> Note:
    """That pods which name nothing are refused, by what refuses the most of them. `fits`: there is
    a default that would do, only nothing is counted that would make it necessary."""
    refusals = list(_refusals(sheet, sheet.given))
    refusal = next((each for each in refusals if not _scoped(each.key)), refusals[0])
    code = "names_demanded" if fits else "no_default_fits"
    if fits:
        end = "the plan gives no default" + ("" if refusal.unnamed else " that fits")
    elif _fitting(sheet.without_own_defaults()) is not None:
        end = "the plan's own default is kept"
    else:
        end = "no default fits the plan"
    pods = "pods in its scope" if _scoped(refusal.key) else "pods"
    message = f"{refusal.why}, and {end}: {pods} that name no {sheet.resource} are refused."
    return Note(refusal.key, code, message, sheet.resource)


def _refusal(sheet: _ResourceLimits, pair: _Pair) -> _Refusal | None:
    """Why a pod of one container that names nothing and is given this is refused; None when it is
    accepted."""
    return next(_refusals(sheet, pair), None)


def _refusals(sheet: _ResourceLimits, pair: _Pair) -> Iterator[_Refusal]:
    for key in sheet.request_demanded if pair.request is None else ():
        yield _Refusal(key, f"{_refuses(key)} that name no request", unnamed=True)
    for key in sheet.limit_demanded if pair.limit is None else ():
        yield _Refusal(key, f"{_refuses(key)} that name no limit", unnamed=True)
    for key, bound, value in (*_outside_of_ranges(sheet, pair), *_above_quotas(sheet, pair)):
        yield _Refusal(key, f"{_refuses(key, bound)} that are given {_amount(key, value)}")
    request, limit, ratio = pair.request, pair.limit, sheet.ratio
    if ratio and request is not None and limit is not None and limit * 1000 > ratio * request:
        key, own = sheet.ratio_key, sheet.key("container", "default")
        why = f"{_refuses(key, ratio)} with a request of {_amount(own, request)}"
        yield _Refusal(key, f"{why} and a limit of {_amount(own, limit)}")


def _refuses(key: str, value: int | None = None) -> str:
    """Which limit refuses which pods."""
    name = key if value is None else _shown(key, value)
    return f"{name} refuses {'the pods in its scope' if _scoped(key) else 'pods'}"


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
        if value is not None:
            yield from ((key, most, value) for most, key in quotas if value > most)


def _fitting(sheet: _ResourceLimits) -> _Pair | None:
    """A default that is accepted; None when there is none. What the plan itself gives stays, and so
    does a maximum that is the limit of whoever names none, unless no pod could start with it."""
    pair = _with_request(sheet, sheet.given.limit)
    if pair is None and sheet.default is None:
        pair = _with_request(sheet, _usual_limit(sheet))
    return pair


def _usual_limit(sheet: _ResourceLimits) -> int:
    """A limit within the plan's quotas and ranges, as near as can be to what is usually given."""
    known = sheet.request if sheet.request is not None else _highest_request(sheet)
    by_ratio = known * sheet.ratio // 1000 if sheet.ratio and known is not None else None
    highest = _least_of(sheet.most, sheet.pod_most, *_values(sheet.limits), by_ratio)
    lowest = max(_lowest_request(sheet), sheet.request or 0)
    return _clamped(LIMIT_GIVEN[sheet.resource], lowest, highest)


def _with_request(sheet: _ResourceLimits, limit: int | None) -> _Pair | None:
    """The limit with a request; None where pods are refused with each."""
    own = _Pair(_completed(sheet, limit), limit)
    if not sheet.gives_no_counted_request and _refusal(sheet, own) is None:
        return own
    request = sheet.request
    if request is None:
        by_ratio = -(-limit * 1000 // sheet.ratio) if sheet.ratio and limit is not None else 0
        lowest, highest = _lowest_request(sheet), _least_of(_highest_request(sheet), limit)
        request = _clamped(REQUEST_GIVEN[sheet.resource], max(lowest, by_ratio), highest)
    if limit is not None and request > limit:
        return None
    pair = _Pair(request, limit)
    return pair if _refusal(sheet, pair) is None else None


def _completed(sheet: _ResourceLimits, limit: int | None) -> int | None:
    """What the API server makes the request of a container that names nothing, given this limit."""
    return next((value for value in (sheet.request, limit, sheet.least) if value is not None), None)


def _highest_request(sheet: _ResourceLimits) -> int | None:
    return _least_of(sheet.most, sheet.pod_most, *_values(sheet.requests))


def _lowest_request(sheet: _ResourceLimits) -> int:
    return max(sheet.least or 0, sheet.pod_least or 0)


def _to_write(sheet: _ResourceLimits, pair: _Pair) -> dict[str, int]:
    """What has to be said in the LimitRange, so that the API server gives just this."""
    added: dict[str, int] = {}
    if pair.limit is not None and pair.limit != sheet.given.limit:
        added[sheet.key("container", "default")] = pair.limit
    if pair.request is not None and pair.request != _completed(sheet, pair.limit):
        added[sheet.key("container", "defaultRequest")] = pair.request
    return added


def _added_notes(sheet: _ResourceLimits, pair: _Pair) -> list[Note]:
    """Why each default is written: what would refuse pods without it, however high their request,
    or with the request that the API server makes of the limit."""
    highest = _highest_request(sheet) if sheet.request is None else sheet.request
    without = _Pair(pair.request if highest is None else highest, sheet.given.limit)
    own = _Pair(_completed(sheet, pair.limit), pair.limit)
    reasons = {
        "default": _refusals(sheet, without),
        "defaultRequest": chain(_refusals(sheet, own), _refusals(sheet, _Pair(None, pair.limit))),
    }
    return [
        _added_note(key, value, next(reasons[key.split(".")[1]]))
        for key, value in _to_write(sheet, pair).items()
    ]


def _added_note(key: str, value: int, refusal: _Refusal) -> Note:
    resource = key.rsplit(".", 1)[1]
    effect = EFFECTS.get(resource, "") if ".default." in key else ""
    ends = f"; {effect}." if effect else "."
    scoped = _scoped(refusal.key)
    containers = "all containers, in that scope or not," if scoped else "containers"
    message = (
        f"{refusal.why}, and the plan gives no default that fits, so {containers} are given"
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
