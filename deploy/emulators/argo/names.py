"""Names and texts of Argo Workflows, and how it makes up the names of nodes and pods."""

from datetime import UTC, datetime
from typing import Any, Final

Obj = dict[str, Any]

EMULATED: Final = "headroom.dev/emulated"
VERSION: Final = "v4.1.2+emulated"
"""What is emulated, and that it is: readers show what stands behind the plus sign."""
FIELD_MANAGER: Final = "headroom-argo-emulation"
PREFIX: Final = "workflows.argoproj.io/"
PHASE: Final = f"{PREFIX}phase"
COMPLETED: Final = f"{PREFIX}completed"
WORKFLOW: Final = f"{PREFIX}workflow"
POD_NAMES: Final = f"{PREFIX}pod-name-format"
NODE_NAME: Final = f"{PREFIX}node-name"
NODE_ID: Final = f"{PREFIX}node-id"
LIMIT: Final = f"{PREFIX}parallelism-limit"
FAILS_FIRST: Final = "headroom.dev/fails-first"
"""Annotation of a template: so many first attempts end in an error (simulated)."""

FINISHED: Final = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
BAD: Final = frozenset({"Failed", "Error"})
POSTPONED: Final = (
    "Workflow processing has been postponed because too many workflows are already running"
)
DEADLINE: Final = "Step exceeded its deadline"
POD_DEADLINE: Final = "Pod was active on the node longer than the specified deadline"
TIMEOUT: Final = "timeout"
POD_DELETED: Final = "pod deleted"
NO_MORE: Final = "No more retries left"
TOO_LONG: Final = "Max duration limit exceeded"
OMITTED: Final = "omitted: depends condition not met"


def fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash, as node ids use it."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def node_id(workflow: str, name: str) -> str:
    """The id of a node: the workflow's name for the root, a hash of its name for the others."""
    return workflow if name == workflow else f"{workflow}-{fnv1a(name)}"


def pod_name(workflow: str, name: str, template: str) -> str:
    """The pod of a node (format v2)."""
    return workflow if name == workflow else f"{workflow}-{template}-{fnv1a(name)}"


def stamp(moment: datetime) -> str:
    """A moment as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: Any) -> datetime | None:
    """A moment that was written; None for none."""
    return datetime.fromisoformat(str(text)) if text else None


def seconds(text: Any) -> float:
    """A duration: whole seconds, or numbers with units such as `1m30s`."""
    written = str(text).strip()
    if written.isdecimal():
        return float(written)
    total, number = 0.0, ""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    for letter in written:
        if letter in units and number:
            total, number = total + float(number) * units[letter], ""
        else:
            number += letter
    return total
