"""Semaphores and mutexes: who holds what, in memory, told from the statuses after a restart."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from deploy.emulators.argo.names import Obj

FAILED: Final = "Failed to acquire the synchronization lock. "


class CannotLockError(Exception):
    """A lock that cannot be had at all: its ConfigMap or key is missing, or says none."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock as Argo names it; `place` is (namespace, ConfigMap, key) of a semaphore."""

    name: str
    place: tuple[str, str, str] | None = None

    @property
    def field(self) -> str:
        """Where a status lists it."""
        return "mutex" if self.place is None else "semaphore"


def wanted(synchronization: Obj | None, namespace: str) -> list[Lock]:
    """The locks that a `synchronization` asks for."""
    spec = synchronization or {}
    locks = []
    for semaphore in spec.get("semaphores") or ():
        ref = semaphore.get("configMapKeyRef") or {}
        where = str(semaphore.get("namespace") or namespace)
        name, key = str(ref.get("name", "")), str(ref.get("key", ""))
        locks.append(Lock(f"{where}/ConfigMap/{name}/{key}", (where, name, key)))
    for mutex in spec.get("mutexes") or ():
        where = str(mutex.get("namespace") or namespace)
        locks.append(Lock(f"{where}/Mutex/{mutex.get('name', '')}"))
    return locks


class Locks:
    """`read(namespace, ConfigMap, key)` gives the text of a limit, None where there is none."""

    def __init__(self, read: Callable[[str, str, str], str | None]) -> None:
        self._read = read
        self._held: dict[str, list[str]] = {}
        self._limits: dict[str, int] = {}

    def restore(self, workflows: Iterable[Obj]) -> None:
        """What the statuses of unfinished workflows say is held."""
        for workflow in workflows:
            synchronization = (workflow.get("status") or {}).get("synchronization") or {}
            for sort in ("semaphore", "mutex"):
                for entry in (synchronization.get(sort) or {}).get("holding") or ():
                    holders = entry.get("holders") or [entry.get("holder")]
                    for holder in filter(None, holders):
                        self._hold(str(entry[sort]), str(holder))

    def _hold(self, name: str, holder: str) -> None:
        holders = self._held.setdefault(name, [])
        if holder not in holders:
            holders.append(holder)

    def acquire(self, locks: list[Lock], holder: str) -> str:
        """All or none; a text says for what is waited. Raises CannotLockError."""
        for lock in locks:
            held = self._held.get(lock.name, [])
            most = self._limit(lock)
            if holder not in held and len(held) >= most:
                status = f"Lock status: {most - len(held)}/{most}"
                return f"Waiting for {lock.name} lock. {status}"
        for lock in locks:
            self._hold(lock.name, holder)
        return ""

    def _limit(self, lock: Lock) -> int:
        if lock.place is None:
            return 1
        text = self._read(*lock.place)
        known = self._limits.get(lock.name)
        if text is not None and text.isdecimal() and (int(text) > 0 or known is not None):
            self._limits[lock.name] = int(text)
        elif known is None:
            why = "no such key" if text is None else f"with limit {text}"
            raise CannotLockError(f"{FAILED}failed to initialize semaphore {lock.name} {why}")
        return self._limits[lock.name]

    def holders(self, name: str) -> list[str]:
        """Who holds a lock."""
        return list(self._held.get(name, ()))

    def keep(self, owner: str, holders: Iterable[str]) -> None:
        """Of all that `owner` (NS/WORKFLOW) holds, only what these holders have is kept."""
        kept = set(holders)
        for held in self._held.values():
            held[:] = [holder for holder in held if not _is_of(holder, owner) or holder in kept]

    def keep_owners(self, owners: Iterable[str]) -> None:
        """Whoever is gone holds nothing any more."""
        alive = set(owners)
        for held in self._held.values():
            held[:] = [holder for holder in held if "/".join(holder.split("/")[:2]) in alive]

    def status(self, owner: str, waiting: Iterable[Lock]) -> Obj:
        """`status.synchronization` of a workflow; empty where it neither holds nor waits."""
        by_sort: dict[str, dict[str, list[Any]]] = {}
        for name, held in sorted(self._held.items()):
            if own := [holder for holder in held if _is_of(holder, owner)]:
                sort = "mutex" if "/Mutex/" in name else "semaphore"
                shown: Obj = {"holder": own[0]} if sort == "mutex" else {"holders": own}
                by_sort.setdefault(sort, {}).setdefault("holding", []).append({sort: name, **shown})
        for lock in dict.fromkeys(waiting):
            others = self.holders(lock.name)
            shown = {"holders": others}
            if lock.field == "mutex":
                shown = {"holder": others[0] if others else ""}
            entry = {lock.field: lock.name, **shown}
            by_sort.setdefault(lock.field, {}).setdefault("waiting", []).append(entry)
        return by_sort


def _is_of(holder: str, owner: str) -> bool:
    return holder == owner or holder.startswith(f"{owner}/")
