"""Who refused a pod or a volume claim on its way into a cluster, by what is said of it. Pure.

Only the part of the message that the API server itself wrote decides: what a webhook or a policy
lets it add may quote any other refuser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from observability.engines.contracts import FailureKind
from observability.engines.quota_refusals import QuotaRefusal, refusal_of

LONGEST: Final = 4000
"""Letters of a message that are read."""

_FRAMES: Final = re.compile(r"(?:\(combined from similar events\): )?(?:Error creating: )?")
_FORBIDDEN: Final = re.compile(
    r'(?:[Pp]ods?|[Pp]ersistent[Vv]olume[Cc]laims?) "[^"]{0,260}" is (?P<how>forbidden|invalid): '
)
_QUOTED: Final = re.compile(
    rf'{_FORBIDDEN.pattern}|admission webhook "|failed calling webhook "'
    r"|error looking up service account |exceeded quota: |failed quota: "
)
_REFUSERS: Final[tuple[tuple[FailureKind, re.Pattern[str]], ...]] = (
    (
        FailureKind.WEBHOOK,
        re.compile(r'(?:Internal error occurred: )?admission webhook "(?P<by>[^"]{1,260})" '),
    ),
    (
        FailureKind.WEBHOOK,
        re.compile(r'(?:Internal error occurred: )?failed calling webhook "(?P<by>[^"]{1,260})"'),
    ),
    (
        FailureKind.ADMISSION_POLICY,
        re.compile(r"(?:Validating|Mutating)?Admission ?[Pp]olicy '(?P<by>[^']{1,260})'"),
    ),
    (FailureKind.ADMISSION_POLICY, re.compile(r"policy '(?P<by>[^']{1,260})' with binding '")),
    (FailureKind.QUOTA, re.compile(r"exceeded quota: (?P<by>[^,\s]{1,260})")),
    (FailureKind.QUOTA, re.compile(r"failed quota: (?P<by>[^:\s]{1,260}): must specify")),
    (FailureKind.QUOTA, re.compile(r"status unknown for quota: (?P<by>[^,\s]{1,260})")),
    (FailureKind.QUOTA, re.compile(r"insufficient quota to (?:consume|match)")),
    (FailureKind.POD_SECURITY, re.compile(r'violates PodSecurity "(?P<by>[^"]{1,260})"')),
    (
        FailureKind.POD_SECURITY,
        re.compile(r"unable to validate against any (?P<by>security context constraint)"),
    ),
    (
        FailureKind.POD_SECURITY,
        re.compile(
            r"(?P<by>PodSecurityPolicy): |unable to validate against any pod security policy"
        ),
    ),
    (
        FailureKind.SERVICE_ACCOUNT,
        re.compile(
            r"error looking up service account (?:[^/\s]{1,260}/)?(?P<by>[^:\s]{1,260}): "
            r'serviceaccounts? "[^"]{1,260}" not found'
        ),
    ),
    (
        FailureKind.SERVICE_ACCOUNT,
        re.compile(r"service account (?:[^/\s]{1,260}/)?(?P<by>[^,\s]{1,260}) was not found"),
    ),
    (
        FailureKind.SERVICE_ACCOUNT,  # before Kubernetes 1.24
        re.compile(r'no API token found for service account "?(?P<by>[^,"\s]{1,260})'),
    ),
    (
        FailureKind.LIMIT_RANGE,
        re.compile(
            r"\[?(?:(?:maximum|minimum) \S{1,260} usage per \w+ is "
            r"|\S{1,260} max limit to request ratio per \w+ is )",
            re.IGNORECASE,
        ),
    ),
)
_TROUBLE: Final = re.compile(
    r"Operation cannot be fulfilled on |resource quota evaluation timed out|etcdserver: "
    r"|Timeout: |timed out|the server (?:is currently unable|was unable|has received too many)"
    r"|Internal error occurred: (?:resource quota evaluation|etcdserver)"
    r'|(?:Post|Get) "|context deadline exceeded|unexpected EOF|client rate limiter'
    r"|not yet ready to handle request"
    # What is not there is refused, see above: of any other it is not known whether it is there.
    r"|error looking up service account ",
)
_DENIED: Final = re.compile(
    r'(?:[^:"]|"[^"]{0,260}"){0,300}?\b(?:is forbidden|denied (?:the )?request)\b'
)
"""Words of the API server's own: they stand before what it quotes after a colon."""


@dataclass(frozen=True, slots=True)
class PodRefusal:
    """Why a pod was not taken.

    `kind` is one of failure_kinds.REFUSALS, or OTHER where nobody says that it refused: the API
    server was busy or away, and the same request may pass the next time. `by` names the quota,
    policy, webhook, level or account, empty where the message names none. `words` are for people:
    the amounts where a quota was exceeded, else the server's own words without the pod's name,
    which is another one at each try.
    """

    kind: FailureKind
    by: str
    words: str
    amounts: QuotaRefusal | None = None

    def detail(self) -> dict[str, Any]:
        """The same as JSON, without the words."""
        amounts: Mapping[str, Any] = self.amounts.detail() if self.amounts else {}
        return {"kind": self.kind.value, "by": self.by, **amounts}

    @property
    def identity(self) -> str:
        """What two refusals for the same reason have in common, whatever is used by then."""
        if self.amounts is None:
            return f"{self.kind}:{self.by}:{self.words}"
        return f"{self.kind}:{self.by}:{self.amounts.requested}:{self.amounts.limited}"


def refusal_in(message: str) -> PodRefusal:
    """The refusal in a message about a pod that could not be created."""
    rest = message[:LONGEST]
    frame = _FRAMES.match(rest)
    rest = rest[frame.end() :] if frame else rest
    forbidden = _FORBIDDEN.match(rest)
    words = rest[forbidden.end() :] if forbidden else rest
    for kind, pattern in _REFUSERS:
        if match := pattern.match(words):
            by = match.groupdict().get("by") or ""
            amounts = refusal_of(words) if kind is FailureKind.QUOTA else None
            return PodRefusal(kind, by, amounts.words() if amounts else words, amounts)
    if _TROUBLE.match(words):
        return PodRefusal(FailureKind.OTHER, "", words)
    if forbidden is not None and forbidden["how"] == "invalid":
        return PodRefusal(FailureKind.INVALID, "", words)
    is_denied = forbidden is not None or _DENIED.match(words)
    return PodRefusal(FailureKind.REFUSED if is_denied else FailureKind.OTHER, "", words)


def refusal_within(message: str) -> PodRefusal | None:
    """The refusal that a longer message of an engine quotes; None when it quotes none."""
    text = message[:LONGEST]
    match = _QUOTED.search(text)
    if match is None:
        return None
    refusal = refusal_in(text[match.start() :])
    return None if refusal.kind is FailureKind.OTHER else refusal
