"""What makes a set of limits a sound plan: reading it whole, and checking it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from console.errors import DomainError
from quotas.plans.limits import check_value, format_limit, parse_key
from quotas.plans.rules.defaults import DEMANDED, defaults, limit_effects
from quotas.plans.rules.entered import read_limit

Limits = Mapping[str, int | None]

UNLIKELY = {
    **{f"container.{field}.cpu": 100 * 1000 for field in ("defaultRequest", "default", "min")},
    **{f"container.{field}.memory": 2**40 for field in ("defaultRequest", "default", "min")},
    "container.max.cpu": 1000 * 1000,
    "pod.min.cpu": 100 * 1000,
    "pod.max.cpu": 1000 * 1000,
    "pod.min.memory": 2**40,
}
"""From so much on, in base units, a rule for single containers or pods is asked about."""


class Severity(StrEnum):
    """Whether a plan with this problem can be published."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong (error) or surprising (warning) about the limit `field`."""

    field: str
    code: str
    message: str
    severity: Severity = Severity.ERROR


def parse_limits(written: Mapping[str, str | float | None]) -> dict[str, int | None]:
    """A whole set of limits as people write it, by normalised key, in base units.

    Raises one DomainError("invalid_limits") that lists every problem: `detail["problems"]` holds
    {"field", "message"} for each, `field` names the first.
    """
    limits: dict[str, int | None] = {}
    problems: list[Problem] = []
    for text, amount in written.items():
        try:
            key = parse_key(str(text))  # YAML has keys that are no text
            if key.key in limits:
                message = f"{text} sets {key.key} a second time; keep one of the two."
                raise DomainError("duplicate_limit", message, field=text)
            limits[key.key] = None  # a second spelling is seen even if this value is bad
            limits[key.key] = read_limit(key, amount)
        except DomainError as error:
            problems.append(Problem(error.field, error.code, error.message))
    _raise_if_any(problems)
    return limits


def validate_limits(limits: Limits) -> list[Problem]:
    """Everything wrong or surprising about a set of limits in base units, errors first.

    Keys must be normalised (`parse_limits` does that). An empty list means nothing to say.
    """
    problems = [problem for key, value in limits.items() for problem in _alone(key, value)]
    if not problems:
        ranges = [*_container_ranges(limits), *_ratios(limits)]
        problems += ranges
        if all(problem.severity is Severity.WARNING for problem in ranges):
            above = [*_default_above_quota(limits), *_least_above_quota(limits)]
            problems += [*_defaults(limits, [*ranges, *above]), *above, *_evictions(limits)]
        problems += [*_unlikely(limits), *_of_nothing(limits)]
        problems += _temporal(limits)
    return sorted(problems, key=lambda problem: problem.severity)


def require_valid(limits: Limits) -> None:
    """Raises DomainError("invalid_limits") listing every error; warnings do not count."""
    _raise_if_any([p for p in validate_limits(limits) if p.severity is Severity.ERROR])


def _raise_if_any(problems: list[Problem]) -> None:
    if problems:
        raise DomainError(
            "invalid_limits",
            " ".join(problem.message for problem in problems),
            field=problems[0].field,
            detail={
                "problems": [
                    {"field": p.field, "code": p.code, "message": p.message} for p in problems
                ]
            },
        )


def _alone(text: str, value: int | None) -> list[Problem]:
    """The problem of one limit by itself, if it has one."""
    try:
        key = parse_key(text)
        if key.key != text:
            message = f"{text} is spelled {key.key}."
            raise DomainError("invalid_limit_key", message, field=text)
        check_value(key, value)
    except DomainError as error:
        return [Problem(error.field, error.code, error.message)]
    return []


def _show(key: str, value: int) -> str:
    return f"{key} ({format_limit(parse_key(key), value)})"


def _container_ranges(limits: Limits) -> list[Problem]:
    """Kubernetes refuses a LimitRange unless min ≤ defaultRequest ≤ default ≤ max."""
    problems = []
    for kind in _KINDS:
        for resource in ("cpu", "memory", "ephemeral-storage", "storage"):
            named = [f"{kind}.{f}.{resource}" for f in ("min", "defaultRequest", "default", "max")]
            present = [(key, value) for key in named if (value := limits.get(key)) is not None]
            problems += [
                Problem(
                    small,
                    "range_out_of_order",
                    f"{_show(small, low)} must not be above {_show(large, high)}.",
                )
                for (small, low), (large, high) in pairwise(present)
                if low > high
            ]
    return problems


def _ratios(limits: Limits) -> list[Problem]:
    """A limit ÷ request ratio is at least 1 and at most max ÷ min."""
    problems = []
    for key, ratio in limits.items():
        kind, _, rest = key.partition(".maxLimitRequestRatio.")
        if not rest or ratio is None:
            continue
        names = ("min", "max", "defaultRequest", "default")
        low, high, request, limit = (limits.get(f"{kind}.{name}.{rest}") for name in names)
        if ratio < 1000:
            message = f"{_show(key, ratio)} is below 1: a limit is never less than its request."
            problems.append(Problem(key, "ratio_below_one", message))
        elif low and high is not None and ratio * low > high * 1000:
            message = f"{_show(key, ratio)} is above what {kind}.max ÷ {kind}.min allows."
            problems.append(Problem(key, "ratio_above_range", message))
        elif request and limit is not None and limit * 1000 > ratio * request:
            message = f"{_show(key, ratio)} refuses containers that rely on the plan's defaults."
            problems.append(Problem(key, "ratio_below_defaults", message, Severity.WARNING))
    return problems


def _quotas(limits: Limits, side: str, resource: str) -> list[tuple[str, int]]:
    """The quotas, scoped ones too, on `requests.cpu` and the like that limit anything."""
    name = f"{side}.{resource}"
    return [
        (key, value)
        for key, value in limits.items()
        if value is not None and key.split("@", 1)[0] == name
    ]


def _defaults(limits: Limits, others: list[Problem]) -> list[Problem]:
    """What is added for pods that name nothing, and where nothing can be; what is told already of a
    resource's own defaults is not told again."""
    known = {problem.field.rsplit(".", 1)[1] for problem in others}
    return [
        Problem(note.field, note.code, note.message, Severity.WARNING)
        for note in defaults(limits).notes
        if note.code != "no_default_fits" or note.resource not in known
    ]


def _evictions(limits: Limits) -> list[Problem]:
    """Who writes more than a default of local disk is evicted, which few expect."""
    return [
        Problem(key, "default_evicts", message, Severity.WARNING)
        for key, message in limit_effects(limits).items()
        if key.endswith(".ephemeral-storage") and key in limits
    ]


def _default_above_quota(limits: Limits) -> list[Problem]:
    """A default larger than the whole quota refuses every pod that relies on it."""
    problems = []
    for side, field in (("requests", "defaultRequest"), ("limits", "default")):
        for resource in DEMANDED:
            key = f"container.{field}.{resource}"
            default = limits.get(key)
            problems += [
                Problem(
                    key,
                    "default_above_quota",
                    f"{_show(key, default)} is above {_show(quota, value)}: no pod"
                    f"{_in_scope(quota)} that relies on the default can start.",
                    Severity.WARNING,
                )
                for quota, value in _quotas(limits, side, resource)
                if default is not None and 0 < value < default
            ]
    return problems


def _in_scope(quota: str) -> str:
    """A quota with a scope refuses what it counts, and nothing else."""
    return " in its scope" if "@" in quota else ""


def _unlikely(limits: Limits) -> list[Problem]:
    """`cpu: 500` where `500m` was meant: there are such machines, but nobody gives one away."""
    return [
        Problem(
            key,
            "unlikely_rule",
            f"{_show(key, value)} is a lot for a single {key.split('.')[0]}; did you mean"
            f" {_meant(key, value, least)}?",
            Severity.WARNING,
        )
        for key, least in UNLIKELY.items()
        if (value := limits.get(key)) is not None and value >= least
    ]


def _meant(key: str, value: int, least: int) -> str:
    if key.endswith(".cpu"):
        return f"{value // 1000}m"
    while value >= least:
        value //= 1024
    return format_limit(parse_key(key), value)


def _of_nothing(limits: Limits) -> list[Problem]:
    """A default limit or a maximum of 0 is no way to say that there is none."""
    problems = []
    for key, value in limits.items():
        kind, _, rule = key.partition(".")
        field, _, resource = rule.partition(".")
        if value == 0 and kind in _KINDS and field in _WHERE:
            message = (
                f"{key} is 0: no {_KINDS[kind]} that requests any {resource} is accepted"
                f"{_WHERE[field]};"
                " leave it out for no such rule."
            )
            problems.append(Problem(key, "rule_of_none", message, Severity.WARNING))
    return problems


_KINDS = {"container": "container", "pod": "pod", "pvc": "volume claim"}
_WHERE = {"default": " unless it names a limit", "max": ""}
_QUOTAS_OF = {
    **{(kind, resource): (f"requests.{resource}", f"limits.{resource}")
       for kind in ("container", "pod") for resource in DEMANDED},
    ("pvc", "storage"): ("requests.storage",),
}  # fmt: skip
"""The quotas that what a LimitRange counts has to fit into."""


def _least_above_quota(limits: Limits) -> list[Problem]:
    """A minimum above the whole quota refuses everything."""
    problems = []
    for (kind, resource), names in _QUOTAS_OF.items():
        least = limits.get(key := f"{kind}.min.{resource}")
        problems += [
            Problem(
                key,
                "min_above_quota",
                f"{_show(key, least)} is above {_show(quota, value)}: no {_KINDS[kind]}"
                f"{_in_scope(quota)} fits.",
                Severity.WARNING,
            )
            for side, name in (name.split(".", 1) for name in names)
            for quota, value in _quotas(limits, side, name)
            if least is not None and 0 < value < least
        ]
    return problems


def _temporal(limits: Limits) -> list[Problem]:
    problems = []
    rate = limits.get("temporal.tenant_rate")
    if "temporal.tenant_rate" in limits and "temporal.weight" in limits:
        problems.append(
            Problem(
                "temporal.weight",
                "rate_and_weight",
                "temporal.weight and temporal.tenant_rate both set the fairness weight of a shared"
                " queue; keep one.",
            )
        )
    if rate == 0:
        problems.append(
            Problem(
                "temporal.tenant_rate",
                "rate_of_none",
                "temporal.tenant_rate 0: a shared queue cannot hold a tenant at exactly none, a"
                " task or two may slip through; use a dedicated queue with temporal.queue_rate 0,"
                " or suspend the tenant.",
                Severity.WARNING,
            )
        )
    return problems
