"""What an engine says of a run as it is now (contracts.SITUATION), and of what is refused to it
(contracts.DENIALS), in sentences. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.unstructured import moment
from observability.engines.contracts import FailureKind
from observability.engines.failure_kinds import REFUSALS
from observability.jobs.charts.elements import TimelineEvent
from observability.jobs.charts.labels import failure_label, format_duration


def sentence(situation: str | None) -> str:
    """A situation as a sentence; empty for none."""
    return f"{_capitalized(situation).rstrip('.')}." if situation else ""


def _capitalized(words: str) -> str:
    """With a capital, unless they begin with a name (`requests.cpu: …`), which has none."""
    return f"{words[:1].upper()}{words[1:]}" if words.partition(" ")[0].isalpha() else words


def is_about(situation: str, event: TimelineEvent) -> bool:
    """Whether a situation is still about the step of an event; what has no name always is."""
    name = re.escape(event.step_name)
    return not name or re.search(rf"(?<![\w.-]){name}(?![\w-])", situation) is not None


def describe_denials(
    denials: Mapping[str, Any] | None, failure_kind: str, now: datetime
) -> tuple[str, str] | None:
    """Lead and text of what is refused to a run now: how often, and the last time. None where
    nothing is: what was refused once is no longer its failure."""
    if not denials or failure_kind not in REFUSALS:
        return None
    first, last = moment(denials.get("first_at")), moment(denials.get("last_at"))
    since = f" for {_passed(first, now)}" if first else ""
    ago = f" (last {_passed(last, now)} ago)" if last and last != first else ""
    words = _refuser(denials) + str(denials.get("words") or "")
    return f"Denied{_times(denials)}{since}", f"{_capitalized(words)}{ago}"


def describe_past_denials(denials: Mapping[str, Any] | None, first_step_at: datetime) -> str:
    """What was refused to a run before there was anything of it; empty where nothing was, and where
    more was refused later: neither was that the reason, nor is it known how often before."""
    last = moment(denials.get("last_at")) if denials else None
    if not denials or last is None or last > first_step_at:
        return ""
    return f"refused{_times(denials)}, {_refuser(denials)}{denials.get('words', '')}"


def _times(denials: Mapping[str, Any]) -> str:
    count = denials.get("count")
    return f" {count:,} times" if isinstance(count, int) and count > 1 else ""


def _refuser(denials: Mapping[str, Any]) -> str:
    """Who refused, where the words that follow do not say so."""
    kind, by = denials.get("kind"), denials.get("by")
    if kind == FailureKind.QUOTA and by:
        return f"quota {by}: "
    return f"{failure_label(str(kind))}: " if kind == FailureKind.LIMIT_RANGE else ""


def _passed(since: datetime, now: datetime) -> str:
    return format_duration(max((now - since).total_seconds(), 0))
