"""Who holds what, as Workflow objects say it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quotas.enforcement.adapters.argo import names

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Binding:
    """One semaphore of ours among the unfinished workflows of a namespace: who holds it, how many
    name it, and how many there are."""

    holders: frozenset[str]
    naming: int
    unfinished: int


def has_slot(workflow: Item) -> bool:
    """Whether an unfinished workflow counts against the parallelism: it runs, or it has come
    through the queue and waits for a lock."""
    status = workflow.get("status") or {}
    if status.get("phase") == "Running":
        return True
    message = str(status.get("message") or "")
    return (
        status.get("phase") == "Pending"
        and message.startswith("Waiting for ")
        and (" lock" in message)
    )


def holders(workflows: Iterable[Item], namespace: str) -> dict[str, set[str]]:
    """By key of our ConfigMap: the holders (workflows and steps), as the statuses name them."""
    by_key: dict[str, set[str]] = {}
    prefix = names.lock_name(namespace, "")
    for workflow in workflows:
        for entry in _holding(workflow):
            lock = str(entry.get("semaphore") or "")
            if lock.startswith(prefix):
                by_key.setdefault(lock.removeprefix(prefix), set()).update(
                    map(str, entry.get("holders") or ())
                )
    return {key: who for key, who in by_key.items() if who}


def _holding(workflow: Item) -> Iterable[Mapping[str, Any]]:
    synchronization = (workflow.get("status") or {}).get("synchronization") or {}
    return (synchronization.get("semaphore") or {}).get("holding") or ()


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
    spec, status = workflow.get("spec") or {}, workflow.get("status") or {}
    stored = status.get("storedWorkflowTemplateSpec") or {}
    places = [spec, stored]
    for holder in (spec, stored):
        places += holder.get("templates") or ()
    places += (status.get("storedTemplates") or {}).values()
    for place in places:
        synchronization = place.get("synchronization") or {}
        single = synchronization.get("semaphore")
        listed = [*(synchronization.get("semaphores") or ()), *([single] if single else ())]
        for semaphore in listed:
            ref = semaphore.get("configMapKeyRef") or {}
            where = semaphore.get("namespace") or namespace
            if ref.get("name") == names.CONFIG_MAP and where == namespace:
                yield str(ref.get("key") or "")
