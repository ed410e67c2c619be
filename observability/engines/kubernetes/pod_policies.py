"""What a Job does about pods that fail or succeed in some way: its pod failure policy and its
success policy. Near-pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.unstructured import mapping, mappings, sequence, whole
from observability.engines.kubernetes.containers import Container
from observability.engines.kubernetes.objects import condition_of, phase_of, spec_of
from observability.engines.unstructured import Object, text


@dataclass(frozen=True, slots=True)
class MatchedRule:
    """The rule of a pod failure policy that a failed pod matched: its place and its action
    (Ignore, Count, FailIndex, FailJob)."""

    place: int
    action: str

    def words(self) -> str:
        """What came of it, for people."""
        effect = {
            "Ignore": "does not count it",
            "Count": "counts it",
            "FailIndex": "fails its index at once",
            "FailJob": "fails the Job at once",
        }.get(self.action, f"says {self.action}")
        return f"rule {self.place} of the pod failure policy {effect}"

    def detail(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"rule": self.place, "action": self.action}


def matched_rule(job: Object, pod: Object, containers: list[Container]) -> MatchedRule | None:
    """The first rule that a failed pod matches; None where there is none, or no policy."""
    rules = mappings(mapping(spec_of(job).get("podFailurePolicy")).get("rules"))
    if not rules or phase_of(pod) != "Failed":
        return None
    for place, rule in enumerate(rules):
        if _by_code(mapping(rule.get("onExitCodes")), containers) or _by_condition(rule, pod):
            return MatchedRule(place, text(rule.get("action"), 40))
    return None


def _by_code(wanted: Object, containers: list[Container]) -> bool:
    if not wanted:
        return False
    name = text(wanted.get("containerName"), 80)
    values = {whole(value) for value in sequence(wanted.get("values"))}
    for item in containers:
        code = whole(item.terminated.get("exitCode"))
        if not code or (name and item.name != name):
            continue
        if (code in values) == (wanted.get("operator") == "In"):
            return True
    return False


def _by_condition(rule: Object, pod: Object) -> bool:
    return any(
        condition_of(pod, text(pattern.get("type"), 300)).get("status")
        == (pattern.get("status") or "True")
        for pattern in mappings(rule.get("onPodConditions"))
    )
