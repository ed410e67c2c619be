"""Before against after, in the words of a preview. Pure: what is compared was read elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from quotas.changes.contracts import (
    Difference,
    LimitChange,
    ObjectChange,
    OverLimit,
    Preview,
    SettingChange,
    ShadowedLimit,
)
from quotas.changes.rules.titles import UNSET, amount, effect
from quotas.enforcement.ports import Usage
from quotas.plans.contracts import (
    EffectiveLimits,
    LimitKey,
    Source,
    policy_to_json,
)
from quotas.plans.effective import changed_keys
from quotas.plans.limits import parse_key

_ABSENT = object()
_MOST_DIFFERENCES = 50


@dataclass(frozen=True, slots=True)
class TenantDiff:
    """One tenant before and after the change. None where nothing is in force."""

    tenant: str
    before: EffectiveLimits | None
    after: EffectiveLimits | None


def limit_changes(diffs: Iterable[TenantDiff]) -> tuple[LimitChange, ...]:
    """Every limit whose value changes, equal steps counted together, in order of key."""
    steps: Counter[tuple[str, Any, Any]] = Counter()
    for diff in diffs:
        for key in changed_keys(diff.before, diff.after):
            steps[key, _value(diff.before, key), _value(diff.after, key)] += 1
    ordered = sorted(steps.items(), key=lambda item: (item[0][0], str(item[0][1:])))
    return tuple(
        LimitChange(
            key=key,
            label=_key(key).label,
            before=None if before is _ABSENT else before,
            after=None if after is _ABSENT else after,
            before_text=_text(key, before),
            after_text=_text(key, after),
            tenants=tenants,
        )
        for (key, before, after), tenants in ordered
    )


def setting_changes(diffs: Iterable[TenantDiff]) -> tuple[SettingChange, ...]:
    """Plan, suspension and policy: what changes beside the limits, equal steps together."""
    steps: Counter[tuple[str, str, str]] = Counter()
    for diff in diffs:
        before, after = _settings(diff.before), _settings(diff.after)
        for name in sorted(before.keys() | after.keys()):
            old, new = before.get(name, UNSET), after.get(name, UNSET)
            if old != new:
                steps[name, old, new] += 1
    return tuple(SettingChange(*step, tenants) for step, tenants in sorted(steps.items()))


def over_limit(
    diff: TenantDiff, *, target: str, location: str, usage: Iterable[Usage]
) -> Iterator[OverLimit]:
    """The limits that this change moves below what is used there already."""
    after = diff.after
    if after is None:
        return
    changing = set(changed_keys(diff.before, after))
    for use in usage:
        limit = after.limits[use.key].value if use.key in after.limits else None
        if use.key not in changing or limit is None or use.used is None or use.used <= limit:
            continue
        key = _key(use.key)
        yield OverLimit(
            tenant=diff.tenant,
            target=target,
            location=location,
            key=use.key,
            label=key.label,
            used=use.used,
            limit=limit,
            used_text=amount(use.key, use.used),
            limit_text=amount(use.key, limit),
            effect=effect(key),
        )


def shadowed(diff: TenantDiff) -> Iterator[ShadowedLimit]:
    """Limits where the plan changes but the tenant's own lease or override wins."""
    before, after = diff.before, diff.after
    if before is None or after is None:
        return
    for key, limit in sorted(after.limits.items()):
        old = before.limits.get(key)
        own = limit.source in (Source.LEASE, Source.OVERRIDE)
        if not own or old is None or old.value != limit.value or old.ref != limit.ref:
            continue
        if (old.in_plan, old.plan_value) == (limit.in_plan, limit.plan_value):
            continue
        yield ShadowedLimit(
            tenant=diff.tenant,
            key=key,
            label=_key(key).label,
            value_text=amount(key, limit.value),
            source=str(limit.source),
            ref=limit.ref,
            reason=limit.reason,
            author=limit.author,
            until=limit.until.isoformat() if limit.until else None,
        )


def intent_digest(diff: TenantDiff) -> str:
    """A fingerprint of what is intended for one tenant before and after."""
    return fingerprint([_intent(diff.before), _intent(diff.after)])[:12]


def fingerprint(content: Any) -> str:
    """SHA-256 of plain values."""
    packed = json.dumps(content, separators=(",", ":"), sort_keys=True, default=str)
    return hashlib.sha256(packed.encode()).hexdigest()


def since(old: Preview | None, new: Preview) -> tuple[Difference, ...]:
    """What one preview says differently from an older one, at most 50 sentences."""
    was, now = old.base if old else {}, new.base
    differences = [
        *_target_differences(was, now),
        *_tenant_differences(was.get("tenants", {}), now.get("tenants", {})),
        *_object_differences(_objects(old.objects if old else ()), _objects(new.objects)),
    ]
    if len(differences) > _MOST_DIFFERENCES:
        more = len(differences) - _MOST_DIFFERENCES
        differences = [*differences[:_MOST_DIFFERENCES], Difference(f"And {more} more.")]
    if not differences:
        differences = [Difference("What would be written is no longer what the preview showed.")]
    return tuple(differences)


def _target_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    was, now = set(old.get("unreachable", ())), set(new.get("unreachable", ()))
    for target in sorted(was - now):
        yield Difference(f"{target} can be reached again.", target=target)
    for target in sorted(now - was):
        yield Difference(f"{target} cannot be reached any more.", target=target)


def _tenant_differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for tenant in sorted(old.keys() | new.keys()):
        if tenant not in old:
            yield Difference(f"{tenant} is concerned too by now.", tenant=tenant)
        elif tenant not in new:
            yield Difference(f"{tenant} is not concerned any more.", tenant=tenant)
        elif old[tenant] != new[tenant]:
            yield Difference(f"What is intended for {tenant} was changed.", tenant=tenant)


def _objects(changes: Iterable[ObjectChange]) -> dict[str, dict[str, Any]]:
    return {
        f"{item.target}|{item.tenant}|{item.change.ref}": {
            "operation": str(item.change.operation),
            "fields": {field.path: [field.before, field.after] for field in item.change.fields},
        }
        for item in changes
    }


def _object_differences(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> Iterator[Difference]:
    """`objects` maps "target|tenant|object" to {"operation", "fields": {path: [before, after]}}."""
    nothing: dict[str, Any] = {"operation": "", "fields": {}}
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, nothing), new.get(name, nothing)
        if was == now:
            continue
        target, tenant, thing = name.split("|", 2)
        where = {"target": target, "tenant": tenant, "object": thing}
        if was["operation"] != now["operation"]:
            before, after = _OPERATIONS[was["operation"]], _OPERATIONS[now["operation"]]
            yield Difference(f"{thing} on {target} {before}, and now {after}.", **where)
            continue
        for path in sorted(was["fields"].keys() | now["fields"].keys()):
            yield from _field_difference(
                path, was["fields"].get(path), now["fields"].get(path), where
            )


_OPERATIONS = {
    "": "needed no change",
    "create": "was missing",
    "update": "needed an update",
    "delete": "was to be deleted",
}


def _field_difference(path: str, was: Any, now: Any, where: dict[str, str]) -> Iterator[Difference]:
    if was == now:
        return
    thing, target = where["object"], where["target"]
    if was is None or now is None:
        verb = "differs as well by now" if was is None else "is as it should be by now"
        yield Difference(f"{path} of {thing} on {target} {verb}.", path=path, **where)
    elif was[0] != now[0]:
        values = f"was {was[0] or UNSET} and is {now[0] or UNSET} now"
        yield Difference(f"{path} of {thing} on {target} {values}.", path=path, **where)
    else:
        values = f"was to become {was[1] or UNSET} and would become {now[1] or UNSET} now"
        yield Difference(f"{path} of {thing} on {target} {values}.", path=path, **where)


def _intent(limits: EffectiveLimits | None) -> Any:
    if limits is None:
        return None
    values = {key: limit.value for key, limit in limits.limits.items()}
    return [values, limits.suspended, policy_to_json(limits.policy)]


def _settings(limits: EffectiveLimits | None) -> dict[str, str]:
    if limits is None:
        return {"plan": "none"}
    policy = policy_to_json(limits.policy)
    policies = {f"policy {name}".replace("_", " "): _plain(value) for name, value in policy.items()}
    status = "suspended" if limits.suspended else "active"
    return {"plan": f"{limits.plan} v{limits.version}", "status": status, **policies}


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(item["name"] for item in value) or "none"
    return str(value) or "none"


def _value(limits: EffectiveLimits | None, key: str) -> Any:
    return limits.limits[key].value if limits and key in limits.limits else _ABSENT


def _text(key: str, value: Any) -> str:
    return UNSET if value is _ABSENT else amount(key, value)


@lru_cache(maxsize=4096)
def _key(key: str) -> LimitKey:
    return parse_key(key)
