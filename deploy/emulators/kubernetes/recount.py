"""The quota controller: fills `status` after every write in a namespace with quotas."""

from deploy.emulators.kubernetes import apply, quota
from deploy.emulators.kubernetes.bodies import CONTROLLER, now, stamp
from deploy.emulators.kubernetes.kinds import RESOURCE_QUOTA
from deploy.emulators.kubernetes.store import Change, Store


class QuotaController:
    """Recounts at once, where a real one takes a moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.listeners.append(self._see)

    def _see(self, change: Change) -> None:
        namespace = change.obj["metadata"].get("namespace", "")
        before = change.before if change.kind is RESOURCE_QUOTA else None
        if before and change.verb == "MODIFIED" and before["spec"] == change.obj["spec"]:
            return
        for obj in self._store.in_namespace(RESOURCE_QUOTA, namespace) if namespace else ():
            status = quota.recount(self._store, obj)
            if "deletionTimestamp" in obj["metadata"] or status == obj.get("status"):
                continue
            new = {**obj, "metadata": dict(obj["metadata"]), "status": status}
            manager = apply.Manager(CONTROLLER, "Update", "v1", "status")
            apply.record_update(obj, new, manager=manager, now=stamp(now()))
            self._store.put(RESOURCE_QUOTA, new)
