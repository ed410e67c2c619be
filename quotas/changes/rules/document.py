"""Plans as YAML: one document per plan.

    plan: standard                # the slug; the plan is created if there is none
    name: Standard                # optional
    description: For most teams   # optional
    version: 7                    # optional; refused unless 7 is the latest version
    limits:                       # all of them: a limit that is left out is taken off the plan
      requests.cpu: "40"          # "40", "96Gi", "20/s", "2h", unlimited
      pods: 100
    policy:                       # optional; what is left out stays as it is
      pod_security: restricted
      network_exceptions:
        - {name: dns, direction: egress, namespace: kube-system, ports: [[UDP, 53]]}

What YAML would read in a way of its own (010, 1:30, 1_000, yes, a date, a key that stands twice) is
refused with what it would be read as. Reading what `dump` wrote gives the same terms back, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.errors import DomainError
from quotas.changes.rules import strict_yaml
from quotas.changes.rules.policy import parse_policy
from quotas.plans.contracts import NetworkException, Policy, policy_to_json
from quotas.plans.limits import format_limit, parse_key
from quotas.plans.rules.soundness import parse_limits

_FIELDS = ("plan", "name", "description", "version", "limits", "policy")
_BARE_EXCEPTION = NetworkException("", "")


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """One plan as a file says it: limits in base units, policy as far as it is said."""

    plan: str
    limits: Mapping[str, int | None]
    policy: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    description: str | None = None
    version: int | None = None


def dump(documents: Iterable[PlanDocument]) -> str:
    """The documents as YAML. The version is a comment: a file in git need not follow it."""
    return "---\n".join(_dumped(document) for document in documents)


def load(text: str) -> list[PlanDocument]:
    """The documents of a YAML text. Raises DomainError: "invalid_yaml" with line, field and value,
    or "invalid_plan" naming plan, field and value."""
    contents = [content for content in strict_yaml.load_all(text) if content is not None]
    documents = [_document(content, number) for number, content in enumerate(contents, start=1)]
    names: set[str] = set()
    for document in documents:
        if document.plan in names:
            raise _wrong(document.plan, "plan", document.plan, "a file names each plan once")
        names.add(document.plan)
    return documents


def policy_document(policy: Policy) -> dict[str, Any]:
    """A policy for people: of its exceptions only what is said."""
    content = policy_to_json(policy)
    content["network_exceptions"] = [
        {
            name: value
            for name, value in exception.items()
            if value and value != getattr(_BARE_EXCEPTION, name)
        }
        for exception in content["network_exceptions"]
    ]
    return content


def _dumped(document: PlanDocument) -> str:
    content: dict[str, Any] = {"plan": document.plan}
    if document.name:
        content["name"] = document.name
    if document.description:
        content["description"] = document.description
    content["limits"] = {
        key: format_limit(parse_key(key), value) for key, value in sorted(document.limits.items())
    }
    content["policy"] = dict(document.policy)
    comment = f"# version {document.version}\n" if document.version else ""
    return comment + strict_yaml.dump(content)


def _document(content: Any, number: int) -> PlanDocument:
    if not isinstance(content, Mapping):
        raise _wrong(f"document {number}", "", content, "use a mapping with plan and limits")
    slug = content.get("plan")
    if not isinstance(slug, str) or not slug:
        raise _wrong(f"document {number}", "plan", slug, "name the plan by its slug")
    for name in content:
        if name not in _FIELDS:
            raise _wrong(slug, str(name), name, f"it is not known; use {', '.join(_FIELDS)}")
    return PlanDocument(
        plan=slug,
        limits=_limits(slug, content.get("limits")),
        policy=_policy(slug, content.get("policy")),
        name=_text(slug, "name", content),
        description=_text(slug, "description", content),
        version=_version(slug, content.get("version")),
    )


def _limits(slug: str, value: Any) -> dict[str, int | None]:
    if not isinstance(value, Mapping):
        raise _wrong(slug, "limits", value, "use a mapping; {} says that nothing is limited")
    if missing := [name for name, amount in value.items() if amount is None]:
        message = f"{slug}: {', '.join(missing)}: no value; write how much, or unlimited."
        raise DomainError("invalid_plan", message, field=missing[0])
    try:
        return parse_limits(value)
    except DomainError as error:
        raise DomainError(
            error.code, f"{slug}: {error.message}", field=error.field, detail=error.detail
        ) from error


def _policy(slug: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    try:
        complete = policy_to_json(parse_policy(value))
    except DomainError as error:
        raise DomainError(error.code, f"{slug}: {error.message}", field=error.field) from error
    return {name: complete[name] for name in value}


def _text(slug: str, name: str, content: Mapping[str, Any]) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(slug, name, value, "use a text")
    return value


def _version(slug: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise _wrong(slug, "version", value, "use the number of the latest version or none")
    return value


def _wrong(where: str, name: str, value: Any, remedy: str) -> DomainError:
    path = f"{where}: {name}" if name else where
    return DomainError(
        "invalid_plan", f"{path}: {str(value)[:80]!r} is not accepted; {remedy}.", field=name
    )
