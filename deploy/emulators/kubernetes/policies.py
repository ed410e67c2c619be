"""What Headroom's execution policy does on a real server, which evaluates CEL; this one does not.

Only these two policies are understood, and only when they and their bindings are there: in a
namespace of ours a Job's time to live and deadline are shortened (or set) to what the namespace's
annotations say, and pods that name no priority class get the one named there.
"""

from deploy.emulators.kubernetes.kinds import (
    JOB,
    MUTATING_POLICY,
    MUTATING_POLICY_BINDING,
    NAMESPACE,
    POD,
    Kind,
    Obj,
)
from deploy.emulators.kubernetes.store import Store

_POLICY = {JOB: "headroom-execution-policy", POD: "headroom-execution-policy-pods"}
_AT_MOST = {
    "ttlSecondsAfterFinished": "headroom.dev/ttl-seconds-after-finished",
    "activeDeadlineSeconds": "headroom.dev/active-deadline-seconds",
}
_PRIORITY = "headroom.dev/priority-class"
_MANAGED_BY = "app.kubernetes.io/managed-by"


def mutate(store: Store, kind: Kind, obj: Obj, old: Obj | None = None) -> None:
    """Change a new (or changed) Job or a new pod in place, as the installed policies say."""
    annotations = _said(store, kind, obj)
    if kind is JOB:
        for field, annotation in _AT_MOST.items():
            if annotation in annotations:
                _at_most(
                    obj["spec"], old["spec"] if old else None, field, int(annotations[annotation])
                )
    elif kind is POD and old is None and annotations.get(_PRIORITY):
        obj["spec"]["priorityClassName"] = (
            obj["spec"].get("priorityClassName") or annotations[_PRIORITY]
        )


def _said(store: Store, kind: Kind, obj: Obj) -> Obj:
    """The annotations of the object's namespace, where an installed policy reads them."""
    name = _POLICY.get(kind, "")
    if not name or not store.get(MUTATING_POLICY, "", name):
        return {}
    if not store.get(MUTATING_POLICY_BINDING, "", name):
        return {}
    namespace = store.get(NAMESPACE, "", obj["metadata"]["namespace"]) or {"metadata": {}}
    if (namespace["metadata"].get("labels") or {}).get(_MANAGED_BY) != "headroom":
        return {}
    return namespace["metadata"].get("annotations") or {}


def _at_most(spec: Obj, before: Obj | None, field: str, limit: int) -> None:
    """A new Job without the field or with more gets the limit; so does one that is raised."""
    value = spec.get(field)
    if before is None:
        wrong = value is None or value > limit
    else:
        was = before.get(field)
        raised = value is not None and value > limit and (was is None or value > was)
        wrong = raised or (value is None and was is not None)
    if wrong:
        spec[field] = limit
