"""Who holds what, as Workflow objects say it. Pure.

A Workflow says whatever its tenant wrote. What of it cannot be read counts as naming and holding no
lock: else whoever writes nonsense could keep a limit from ever being taken away. That this may not
be so is said beside the numbers (`unreadable_workflow`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from console.shapes import TEXT, Each, Fields, Values
from console.unstructured import mapping, mappings, sequence
from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.kubernetes.items import (
    Item,
    metadata_of,
    plain,
    spec_of,
    status_of,
    unreadable,
)
from tenants.contracts import Unreadable

_REFERENCE: Final = Fields(namespace=TEXT, configMapKeyRef=Fields(name=TEXT, key=TEXT))
_LOCKS: Final = Fields(semaphore=_REFERENCE, semaphores=Each(_REFERENCE))
_TEMPLATE: Final = Fields(synchronization=_LOCKS)
_SPEC: Final = Fields(synchronization=_LOCKS, templates=Each(_TEMPLATE))
_HOLDING: Final = Each(Fields(semaphore=TEXT, holders=Each(TEXT)))
_SHAPE: Final = Fields(
    metadata=Fields(name=TEXT, namespace=TEXT, labels=Values(TEXT)),
    spec=_SPEC,
    status=Fields(
        phase=TEXT,
        message=TEXT,
        storedWorkflowTemplateSpec=_SPEC,
        storedTemplates=Values(_TEMPLATE),
        synchronization=Fields(semaphore=Fields(holding=_HOLDING)),
    ),
)
"""What of a Workflow has to do with its slot and its locks."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One semaphore of ours among the unfinished workflows of a namespace: who holds it, how many
    name it, and how many there are."""

    holders: frozenset[str]
    naming: int
    unfinished: int


def locks_of(workflow: Item) -> dict[str, Any]:
    """The part of a workflow that has to do with its slot and its locks: it may be a megabyte."""
    part: dict[str, Any] = _SHAPE.part(dict(workflow))
    return part


def unreadable_workflow(workflow: Item) -> Unreadable | None:
    """What of a workflow's slot and locks cannot be read; None when all of it can."""
    return unreadable("Workflow", workflow, _SHAPE)


def phase_of(workflow: Item) -> str:
    """The phase; by its label where the status does not say it."""
    phase = plain(status_of(workflow).get("phase"))
    return phase or plain(mapping(metadata_of(workflow).get("labels")).get(names.PHASE_LABEL))


def has_slot(workflow: Item) -> bool:
    """Whether an unfinished workflow counts against the parallelism: it runs, or it has come
    through the queue and waits for a lock."""
    phase = phase_of(workflow)
    if phase == "Running":
        return True
    message = plain(status_of(workflow).get("message"))
    return phase == "Pending" and message.startswith("Waiting for ") and " lock" in message


def holders(workflows: Iterable[Item], namespace: str) -> dict[str, set[str]]:
    """By key of our ConfigMap: the holders (workflows and steps), as the statuses name them."""
    by_key: dict[str, set[str]] = {}
    prefix = names.lock_name(namespace, "")
    for workflow in workflows:
        for entry in _holding(workflow):
            lock = plain(entry.get("semaphore"))
            if lock.startswith(prefix):
                by_key.setdefault(lock.removeprefix(prefix), set()).update(
                    holder for holder in sequence(entry.get("holders")) if isinstance(holder, str)
                )
    return {key: who for key, who in by_key.items() if who}


def _holding(workflow: Item) -> list[dict[str, Any]]:
    synchronization = mapping(status_of(workflow).get("synchronization"))
    return mappings(mapping(synchronization.get("semaphore")).get("holding"))


def bindings(workflows: Sequence[Item], namespace: str) -> dict[str, Binding]:
    """Every semaphore of ours that somebody holds or names."""
    held = holders(workflows, namespace)
    named = [set(_named(workflow, namespace)) for workflow in workflows]
    return {
        key: Binding(
            holders=frozenset(held.get(key, ())),
            naming=sum(key in keys for keys in named),
            unfinished=len(workflows),
        )
        for key in {*held, *(key for keys in named for key in keys)}
    }


def _named(workflow: Item, namespace: str) -> Iterator[str]:
    """The keys of our ConfigMap that a workflow refers to, in its spec or in a stored one."""
    for place in _places(workflow):
        synchronization = mapping(place.get("synchronization"))
        single = mapping(synchronization.get("semaphore"))
        for semaphore in (*mappings(synchronization.get("semaphores")), single):
            ref = mapping(semaphore.get("configMapKeyRef"))
            where = plain(semaphore.get("namespace")) or namespace
            if ref.get("name") == names.CONFIG_MAP and where == namespace:
                yield plain(ref.get("key"))


def _places(workflow: Item) -> Iterator[Mapping[str, Any]]:
    """Where a workflow may name a lock: its specs and each of their templates."""
    status = status_of(workflow)
    for spec in (spec_of(workflow), mapping(status.get("storedWorkflowTemplateSpec"))):
        yield spec
        yield from mappings(spec.get("templates"))
    stored = mapping(status.get("storedTemplates")).values()
    yield from (template for template in stored if isinstance(template, dict))
