"""What in a cluster may change an object on its way in: asked for only when one was changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from console.clients.kubernetes.client import KubernetesClient
from console.errors import ExternalError
from console.unstructured import mapping, mappings, sequence, text
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.ports import Altered
from quotas.plans.errors import LONGEST_KEY

_KINDS = ("MutatingAdmissionPolicy", "MutatingWebhookConfiguration")
_PLURALS = {
    "Namespace": "namespaces",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "RoleBinding": "rolebindings",
    "ConfigMap": "configmaps",
}


class Mutators:
    """The mutating admission policies and webhooks of a cluster, read at most once, and only when
    an object came out otherwise than it was sent. Where we may not list them nobody is named."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._listed: list[Mapping[str, Any]] | None = None

    def name(self, altered: Altered | None) -> Altered | None:
        """The same with whoever may have done it."""
        if altered is None:
            return None
        plural = _PLURALS.get(altered.left.ref.kind, "")
        return replace(altered, suspects=tuple(self._of(plural)))

    def _of(self, plural: str) -> list[str]:
        with self._lock:
            if self._listed is None:
                self._listed = self._read()
        return sorted(
            f"{item['kind']} {_name_of(item)}"
            for item in self._listed
            if any(plural in _resources(rule) for rule in _rules(item))
        )

    def _read(self) -> list[Mapping[str, Any]]:
        listed: list[Mapping[str, Any]] = []
        for kind in _KINDS:
            try:
                listed += [{**item, "kind": kind} for item in self._client.list(kind)]
            except ExternalError:
                continue  # not served, or not ours to see
        return [item for item in listed if not _name_of(item).startswith(f"{names.OURS}-")]


def _name_of(item: Mapping[str, Any]) -> str:
    return text(mapping(item.get("metadata")).get("name"), LONGEST_KEY)


def _rules(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    constraints = mapping(mapping(item.get("spec")).get("matchConstraints"))
    rules: list[Mapping[str, Any]] = list(mappings(constraints.get("resourceRules")))
    for webhook in mappings(item.get("webhooks")):
        rules += mappings(webhook.get("rules"))
    return rules


def _resources(rule: Mapping[str, Any]) -> set[str]:
    """The resources of a rule; every one for a star."""
    listed = {text(name, LONGEST_KEY) for name in sequence(rule.get("resources"))}
    return listed | set(_PLURALS.values()) if listed & {"*", "*/*"} else listed
