"""Limits as somebody enters them, held to what people can mean.

Kubernetes takes `memory: 400m` (0.4 bytes) and `cpu: 100Mi` (a hundred million cores) without a
word. Wherever a limit is entered (plan editor, plan documents, REST, leases, overrides) such an
amount is refused, with what was probably meant. What is stored already, and what a cluster says,
is read by `limits` and `quantities`, which take everything that Kubernetes takes.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any, Final

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, Group, LimitKey, Unit
from quotas.plans.errors import invalid_limit
from quotas.plans.limits import parse_key, parse_limit
from quotas.plans.quantities import (
    UNLIMITED,
    Written,
    format_amount,
    humanize,
    parse_quantity,
    per_unit,
    taken_apart,
    to_base,
)

_MI: Final = 2**20
_CORES, _PER_SECOND = 1000, 1000
LEAST_BYTES: Final = _MI
"""No container starts with less, and no volume is as small."""
LEAST_MEANT_BYTES: Final = 50_000
"""From so many on, a number without a suffix was counted in bytes and not in mebibytes."""
_YEAR: Final = 365 * 86400
_MOST: Final = {
    Unit.MILLICORES: 1_000_000 * _CORES,
    Unit.BYTES: 2**57,
    Unit.COUNT: 10_000_000,
    Unit.MILLI_PER_SECOND: 1_000_000 * _PER_SECOND,
    Unit.SECONDS: 100 * _YEAR,
    Unit.MILLI: 1_000_000 * 1000,
}
"""The most that one tenant can have of anything, in base units: far above the largest clusters."""
_MOST_OF_ONE: Final = {Unit.MILLICORES: 4_096 * _CORES, Unit.BYTES: 2**50}
"""The most for one container or pod: above the largest machines."""
_AMOUNTS: Final = ("mem", "epc", "byte", "storage", "cache", "bandwidth")
"""Words in the name of a device that is counted by amount and not by piece."""
_NAMES: Final = {
    Unit.MILLICORES: ("core", "cores"),
    Unit.BYTES: ("byte", "bytes"),
    Unit.MILLI_PER_SECOND: ("a second", "a second"),
}
_CORE_KINDS: Final = frozenset(
    {"configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "pods",
     "podtemplates", "replicationcontrollers", "resourcequotas", "secrets", "serviceaccounts",
     "services"}
)  # fmt: skip
"""Kinds in namespaces whose group has no name."""
_GROUP_OF: Final = {
    **dict.fromkeys(("jobs", "cronjobs"), "batch"),
    **dict.fromkeys(("deployments", "replicasets", "statefulsets", "daemonsets"), "apps"),
    **dict.fromkeys(("ingresses", "networkpolicies"), "networking.k8s.io"),
    **dict.fromkeys(("roles", "rolebindings"), "rbac.authorization.k8s.io"),
    **dict.fromkeys(("workflows", "cronworkflows", "workflowtemplates"), "argoproj.io"),
    **dict.fromkeys(("resourceclaims", "resourceclaimtemplates"), "resource.k8s.io"),
    "horizontalpodautoscalers": "autoscaling",
    "poddisruptionbudgets": "policy",
    "leases": "coordination.k8s.io",
    "endpointslices": "discovery.k8s.io",
}
_SMALL: Final = ("n", "u", "m")
_GIGANTIC: Final = ("M", "G", "T", "P", "E")
_SECONDS_IN: Final = {"m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400}
_PER_OTHER: Final = re.compile(rf"(.+?)\s*/\s*({'|'.join(_SECONDS_IN)})", re.ASCII)


def read_limit(key: LimitKey, written: str | float | None) -> int | None:
    """What somebody entered for a limit, in base units; None is unlimited.

    Raises DomainError("invalid_limit") with the key as `field` for what `limits.parse_limit`
    refuses, and for what nobody can mean.
    """
    if problem := _kind_problem(key):
        raise invalid_limit(key.key, problem)
    text = _text(written)
    if isinstance(text, str) and (problem := _spelling_problem(key, text.strip())):
        raise invalid_limit(key.key, problem)
    value = parse_limit(key, text)
    if value and isinstance(text, str) and (problem := _size_problem(key, text.strip(), value)):
        raise invalid_limit(key.key, problem)
    return value


def read_rate(text: str) -> int | None:
    """A rate as somebody enters it for a queue, in thousandths a second; None is unlimited.
    Raises DomainError("invalid_limit"), without the name of a limit."""
    key = parse_key("temporal.queue_rate")
    try:
        return read_limit(key, text)
    except DomainError as error:
        raise DomainError(error.code, error.message.removeprefix(f"{key.key}: ")) from error


def _text(written: Any) -> Any:
    """A number as the digits that it stands for: 1e16 is written out, True stays what it is."""
    if isinstance(written, bool):
        return written
    if written is None:
        return None
    return format(Decimal(str(written)), "f") if isinstance(written, float) else str(written)


# -- what it counts ------------------------------------------------------------------------------


def _kind_problem(key: LimitKey) -> str:
    """Why a count of objects counts nothing: Kubernetes takes any name, and finds the objects by
    their group too, whose name is empty for the core's alone (kubernetes#97765)."""
    kind = key.resource.removeprefix("count/")
    if kind == key.resource or "." in kind or kind in _CORE_KINDS:
        return ""
    group = _GROUP_OF.get(kind)
    remedy = f"did you mean count/{kind}.{group}?" if group else f"write count/{kind}.GROUP"
    return f"counts nothing, as there are no {kind} in the core group; {remedy}"


# -- how it is spelled ---------------------------------------------------------------------------


def _spelling_problem(key: LimitKey, text: str) -> str:
    """Why these digits with this suffix cannot be meant; empty when they can."""
    if key.unit is Unit.SECONDS or text.lower() in (UNLIMITED, "∞"):
        return ""
    if key.unit is Unit.MILLI_PER_SECOND and (match := _PER_OTHER.fullmatch(text)):
        return _per_other_time(text, match[1], match[2])
    try:
        amount = taken_apart(text, key.unit)
    except DomainError:
        return ""  # no quantity at all: `parse_limit` says what one is
    if not amount.value:
        return ""
    if amount.exponential:
        return f"{text} is {_counted(amount.value, key.unit)}; write it without an exponent"
    check = _SPELLING.get(key.unit)
    return check(key, text, amount) if check else ""


def _bytes(key: LimitKey, text: str, amount: Written) -> str:
    plain = amount.suffix not in _SMALL and (amount.suffix or amount.value.denominator == 1)
    if plain and (amount.value >= LEAST_BYTES or _page(key)):
        return ""
    if amount.value > LARGEST:
        return ""  # more than there can be, however it is spelled: `parse_limit` says the most
    meaning = f"{text} is {_counted(amount.value, Unit.BYTES)}"
    if not amount.suffix and LEAST_MEANT_BYTES <= amount.value < LEAST_BYTES:
        return f"{meaning}, less than the 1Mi that is the least there can be"
    if amount.value >= LEAST_BYTES:
        return f"{meaning}; write {format_amount(ceil(amount.value), Unit.BYTES)}"
    return f"{meaning}; did you mean {_in_mebibytes(amount)}?"


def _cores(key: LimitKey, text: str, amount: Written) -> str:
    meaning = f"{text} is {_counted(amount.value, Unit.MILLICORES)}"
    if amount.binary:
        return f"{meaning}; did you mean {key.key.replace('cpu', 'memory')} {amount.text}?"
    if amount.suffix in _GIGANTIC:
        small = "m" if amount.suffix == "M" else ""
        return f"{meaning}; did you mean {_digits(amount)}{small}?"
    if amount.value * _CORES < 1:
        return f"{meaning}, less than the 1m that is the least there can be"
    return ""


def _count(key: LimitKey, text: str, amount: Written) -> str:
    if _is_own_amount(key):
        return ""
    if amount.binary:
        return (f"{text} is {_counted(amount.value, Unit.COUNT)}, and nobody counts in powers of"
                f" two; did you mean {_digits(amount)}k?")  # fmt: skip
    if amount.suffix in _SMALL:
        return f"{text} is {_counted(amount.value, Unit.COUNT)}; did you mean {_digits(amount)}?"
    return ""


def _rate(_: LimitKey, text: str, amount: Written) -> str:
    meaning = f"{text} is {_counted(amount.value, Unit.MILLI_PER_SECOND)}"
    if amount.binary:
        return f"{meaning}; did you mean {_digits(amount)}/s?"
    if amount.suffix in _SMALL:
        thousandths = amount.value * _PER_SECOND
        if thousandths.denominator != 1:
            return f"{meaning}, less than the 0.001/s that is the least there can be"
        return f"{meaning}; write {humanize(int(thousandths), Unit.MILLI_PER_SECOND)}"
    return ""


def _ratio(_: LimitKey, text: str, amount: Written) -> str:
    if amount.binary:
        return (f"{text} is {_counted(amount.value, Unit.MILLI)}; did you mean"
                f" {_digits(amount)}?")  # fmt: skip
    return ""


_SPELLING: Final = {
    Unit.BYTES: _bytes,
    Unit.MILLICORES: _cores,
    Unit.COUNT: _count,
    Unit.MILLI_PER_SECOND: _rate,
    Unit.MILLI: _ratio,
}


def _per_other_time(text: str, number: str, time: str) -> str:
    """Celery's own rates are per second, minute or hour; ours are per second."""
    try:
        thousandths = round(parse_quantity(number) / _SECONDS_IN[time] * _PER_SECOND)
    except DomainError:
        return f"{text} is not accepted: a rate is per second, such as 20/s or 0.5/s"
    about = humanize(max(thousandths, 1), Unit.MILLI_PER_SECOND)
    return f"a rate is per second; did you mean {about} for {text}?"


def _digits(amount: Written) -> str:
    """The number without its suffix."""
    return f"{amount.whole}.{amount.fraction}" if amount.fraction else amount.whole


def _in_mebibytes(amount: Written) -> str:
    """The number with the suffix that was probably meant: nobody has 4 MiB or 400 GiB of much."""
    suffix = "Gi" if len(amount.whole) < 3 and int(amount.whole) < 32 else "Mi"
    return f"{_digits(amount)}{suffix}"


def _counted(value: Fraction, unit: Unit) -> str:
    """A number with its unit, with all its digits: `104,857,600 cores`, `0.4 bytes`."""
    billionths = round(value * 10**9)
    if value >= 10**24:
        figures = str(int(value))  # of a thousand digits at most, see quantities
        digits = f"about {figures[0]}e+{len(figures) - 1}"
    elif billionths:
        whole, part = divmod(billionths, 10**9)
        digits = f"{whole:,}.{part:09}".rstrip("0").rstrip(".")
    else:
        digits = "less than 0.000000001"
    one, many = _NAMES.get(unit, ("", ""))
    return f"{digits} {one if value == 1 else many}".rstrip()


def _page(key: LimitKey) -> int:
    """The size in bytes of the huge pages that a limit counts; 0 for any other limit."""
    size = key.resource.partition("hugepages-")[2]
    return to_base(size, Unit.BYTES) if size else 0


def _is_own_amount(key: LimitKey) -> bool:
    """Whether it counts something of somebody's own in a unit of its own, such as the memory of
    enclaves or of shared GPUs: its amounts may be of any size."""
    device = key.resource.partition("/")[2].lower()
    return key.group is Group.QUOTA and any(word in device for word in _AMOUNTS)


# -- how much it is ------------------------------------------------------------------------------


def _size_problem(key: LimitKey, text: str, value: int) -> str:
    """Why nobody can have so much or so little; empty when somebody can."""
    if value < _page(key):
        return f"{text} is less than one page of {humanize(_page(key), Unit.BYTES)}"
    if _page(key) and value % _page(key):
        whole = format_amount(value // _page(key) * _page(key), Unit.BYTES)
        return (f"{text} is no whole number of pages of {humanize(_page(key), Unit.BYTES)};"
                f" write {whole}")  # fmt: skip
    if _is_own_amount(key):
        return ""
    most = _MOST[key.unit]
    if key.range_type in ("Container", "Pod"):
        most = min(most, _MOST_OF_ONE.get(key.unit, most))
    if value <= most:
        return ""
    shown = f"{_counted(Fraction(value, per_unit(key.unit)), key.unit)}"
    if key.unit is Unit.SECONDS:
        shown = humanize(value, Unit.SECONDS)
    remedy = f"use at most {humanize(most, key.unit)}"
    remedy += "" if key.required else ", or unlimited for no limit"
    return f"{text} is {shown}, more than anybody can mean; {remedy}"
