"""Limits as pictures and words: from base units to what a page shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.pages.charts import HeadroomBar
from quotas.plans.charts import describe, human, label_of
from tenants.adapters.cluster_dns import OPTION, dns_in_force

NOT_OBSERVED = "not seen on the target yet"


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit of one placement as a table row: three numbers that are never confused, the bar,
    and where the intended value comes from. Texts are human, `raw_…` are base units."""

    key: str
    label: str
    help: str
    bar: HeadroomBar
    intended: str
    enforced: str
    used: str
    headroom: str
    raw_intended: int | None
    raw_enforced: int | None
    raw_used: int | None
    enforced_known: bool
    source: str = ""
    why: str = ""
    note: str = ""
    recounted: str = ""
    gap: str = ""

    @property
    def differs(self) -> bool:
        """True when what is enforced is not what is intended."""
        return not self.enforced_known or self.raw_enforced != self.raw_intended


_GAPS = {
    "suspended": "suspended: nothing new starts",
    "progressing": "a push is on its way",
    "conflict": "another owner has set it",
    "refused": "refused there",
    "unreachable": "pushed when the target is back",
    "drifted": "changed by somebody else",
    "unknown": "not pushed yet",
    "altered": "changed by the target on the way in",
}


def gap(condition: str) -> str:
    """Why what is enforced is not what is intended, in a few words beside the number: by condition
    of the placement, or by its code where that says more."""
    return _GAPS.get(condition, "seen before the last change")


def feature_facts(
    features: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> tuple[tuple[str, str], ...]:
    """What a probe found out about a target (TargetState.features), as name and sentence, and what
    its options make of it."""
    facts: list[tuple[str, str]] = []
    if features.get("user"):
        facts.append(("We are known as", str(features["user"])))
    if "distribution" in features:
        facts.append(("Cluster DNS", _dns_fact(features, options or {})))
    if "execution_policy" in features:
        why = str(features.get("execution_policy_why") or "it cannot be installed")
        text = "held to by the cluster itself" if features["execution_policy"] else why
        facts.append(("Jobs' deadline, TTL and priority", text))
    if "fairness" in features:
        facts.append(("Fair shared queues", _FAIRNESS[features["fairness"]]))
    if "namespace_exists" in features:
        there = "is there" if features["namespace_exists"] else "does not exist yet"
        facts.append(("Temporal namespace", there))
    if "workflows_served" in features:
        served = "served" if features["workflows_served"] else "not there: install Argo's CRDs"
        facts.append(("Workflows (argoproj.io)", served))
        known_by = str(features.get("controller") or "nothing tells")
        facts.append(("Workflow controller", _CONTROLLERS.get(known_by, known_by)))
    return tuple(facts)


def _dns_fact(features: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    whose = f"as {features['distribution']} has it" if features["distribution"] else "as usual"
    why = "set for this target" if options.get(OPTION) else whose
    return f"{dns_in_force(options, features)}, {why}"


_CONTROLLERS = {
    "Argo server": "its version is the Argo server's",
    "image": "its version is its image's",
    "definition": "its version is what the definition of Workflows says",
    "nothing tells": "nothing tells its version",
}
_FAIRNESS: dict[bool | None, str] = {
    True: "on: tenants are weighted",
    False: "off: shared queues are refused",
    None: "not known yet",
}


def headroom_text(key: str, *, used: int | None, enforced: int | None, known: bool) -> str:
    """What is left: "1.8 cores", "∞", "7 GiB over", or "–" where nobody can tell."""
    if used is None or not known:
        return "–"
    if enforced is None:
        return "∞"
    left = enforced - used
    return human(key, left) if left >= 0 else f"{human(key, -left)} over"


def bar(
    entry: Mapping[str, Any], *, key: str, intended: int | None, stopped: bool = False
) -> HeadroomBar:
    """The headroom bar of one observed limit; `entry` is one value of PlacementState.limits.
    `stopped` where the tenant is suspended: what is used still runs, and is not too much."""
    known = "enforced" in entry
    used, enforced = entry.get("used"), entry.get("enforced")
    left = headroom_text(key, used=used, enforced=enforced, known=known)
    if stopped and used and enforced is not None and used > enforced:
        left = f"{human(key, used)} still there"
    return HeadroomBar(
        used=used,
        enforced=enforced,
        intended=intended,
        used_text=human(key, used) if used is not None else "",
        enforced_text=human(key, enforced),
        intended_text=human(key, intended),
        headroom_text=left,
        label=label_of(key),
        enforced_known=known,
        stopped=stopped,
        unknown_reason=str(entry.get("why") or NOT_OBSERVED),
    )


def line(
    entry: Mapping[str, Any],
    *,
    key: str,
    intended: int | None,
    source: str = "",
    note: str = "",
    condition: str = "",
) -> LimitLine:
    """One table row; `entry` is one value of PlacementState.limits, empty when never seen.
    `condition` of the placement explains a difference."""
    known = "enforced" in entry
    used, enforced = entry.get("used"), entry.get("enforced")
    recounted = entry.get("recounted")
    description = describe(key)
    return LimitLine(
        key=key,
        label=label_of(key),
        help=description.help if description else "",
        bar=bar(entry, key=key, intended=intended, stopped=condition == "suspended"),
        intended=human(key, intended),
        enforced=human(key, enforced) if known else "",
        used=human(key, used) if used is not None else "",
        headroom=headroom_text(key, used=used, enforced=enforced, known=known),
        raw_intended=intended,
        raw_enforced=enforced,
        raw_used=used,
        enforced_known=known,
        source=source,
        why=str(entry.get("why") or ("" if known else NOT_OBSERVED)),
        note=note,
        recounted="" if recounted in (None, used) else human(key, recounted),
        gap=gap(condition) if not known or enforced != intended else "",
    )
