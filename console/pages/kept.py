"""How long things are kept, in words: where there are lists of them, and where one is asked for
that is no longer there."""

from __future__ import annotations

import re
from typing import Final

from django.conf import settings

from console.pages.plural import plural

_KEPT: Final[dict[str, tuple[str, str, str]]] = {
    # noun: (whose time, the setting, from when on)
    "rollouts": ("Rollouts are", "ROLLOUT_RETENTION_DAYS", "after they end"),
    "changes": ("Changes are", "PROPOSAL_RETENTION_DAYS", "after they were applied or discarded"),
    "drafts": ("Drafts are", "DRAFT_RETENTION_DAYS", "after their last preview"),
    "drifts": ("Findings are", "DRIFT_RETENTION_DAYS", "after they end"),
    "limits": ("Past limits are", "LIMIT_RETENTION_DAYS", "after they end"),
    "actions": ("Actions are", "ACTION_RETENTION_DAYS", "after they end"),
    "replays": ("Replays are", "REPLAY_RETENTION_DAYS", "after they end"),
    "runs": (
        "Jobs are",
        "JOB_RETENTION_DAYS",
        "after they end, unless their plan or target says otherwise",
    ),
}
_PLACES: Final = (
    (re.compile(r"/(api/v1/)?rollouts/\d"), "rollouts"),
    (re.compile(r"/(changes|api/v1/proposals)/\d"), "changes"),
    (re.compile(r"/(jobs|api/v1)/actions/\d"), "actions"),
    (re.compile(r"/(jobs|api/v1)/replays/\d"), "replays"),
    (re.compile(r"/(api/v1/)?jobs/\d"), "runs"),
    (re.compile(r"/(api/v1/)?(leases|overrides)/\d"), "limits"),
)


def kept_for(noun: str) -> str:
    """ "Rollouts are kept for 180 days after they end." """
    who, setting, since = _KEPT[noun]
    return f"{who} kept for {plural(getattr(settings, setting), 'day')} {since}."


def kept_at(path: str) -> str:
    """The same for what stands at an address; empty where nothing there goes by itself. It says
    nothing of whether that was ever there: whoever may not see it reads the same."""
    noun = next((noun for place, noun in _PLACES if place.match(path)), "")
    if not noun:
        return ""
    drafts = f" {kept_for('drafts')}" if noun == "changes" else ""
    return f"{kept_for(noun)}{drafts}"
