"""Two people edited one plan: what each of them changed, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quotas.changes.rules.form_text import peer_of, ports_of
from quotas.plans.charts import human, label_of
from quotas.plans.contracts import PlanTerms, Policy

UNSET = "not set"


@dataclass(frozen=True, slots=True)
class ThreeWayDiff:
    """One limit, or part of the policy, in the version that was edited, in the newer one, and as it
    was typed."""

    key: str
    label: str
    before: str
    theirs: str
    yours: str

    @property
    def verdict(self) -> str:
        """What publishing would do: "same", "yours", "undoes" theirs, or "collides" with it."""
        if self.theirs == self.yours:
            return "same"
        if self.before == self.theirs:
            return "yours"
        return "undoes" if self.yours == self.before else "collides"


def three_way_diff(base: PlanTerms, newer: PlanTerms, yours: PlanTerms) -> Sequence[ThreeWayDiff]:
    """Everything that the newer version changed, or that was typed differently from the base."""
    versions = (base, newer, yours)
    keys = sorted({key for terms in versions for key in terms.limits})
    lines = [
        ThreeWayDiff(key, label_of(key), *(_limit(key, terms.limits) for terms in versions))
        for key in keys
    ]
    policies = [_policy(terms.policy) for terms in versions]
    lines += [
        ThreeWayDiff("", name, *(policy[name] for policy in policies)) for name in policies[0]
    ]
    return [line for line in lines if not line.before == line.theirs == line.yours]


def _limit(key: str, limits: Mapping[str, int | None]) -> str:
    return human(key, limits[key]) if key in limits else UNSET


def _policy(policy: Policy) -> dict[str, str]:
    exceptions = [
        " ".join(
            filter(
                None, (exception.name, exception.direction, peer_of(exception), ports_of(exception))
            )
        )
        for exception in policy.network_exceptions
    ]
    return {
        "Pod security": policy.pod_security,
        "Priority class": policy.priority_class or UNSET,
        "Tenant role": policy.tenant_role or UNSET,
        "Closed network": "yes" if policy.network_isolated else "no",
        "Exceptions of the network": "; ".join(exceptions) or "none",
    }
