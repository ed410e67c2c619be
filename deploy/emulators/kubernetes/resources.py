"""The verbs on stored objects: what a request does once its caller may do it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson

from deploy.emulators.kubernetes import (
    apply,
    defaults,
    limits,
    patches,
    policies,
    quota,
    validation,
)
from deploy.emulators.kubernetes.bodies import (
    Target,
    check_config,
    check_preconditions,
    content,
    identified,
    keep_identity,
    namespaced,
    now,
    stamp,
    suffix,
)
from deploy.emulators.kubernetes.errors import (
    ApiError,
    already_exists,
    bad_request,
    forbidden,
    invalid_patch,
    modified,
    not_found,
    value_invalid,
)
from deploy.emulators.kubernetes.kinds import (
    CONFIG_MAP,
    JOB,
    NAMESPACE,
    NODE,
    POD,
    PRIORITY_CLASS,
    SERVICE_ACCOUNT,
    WORKFLOW,
    Kind,
    Obj,
)
from deploy.emulators.kubernetes.quantities import QuantityError
from deploy.emulators.kubernetes.resource_names import quoted
from deploy.emulators.kubernetes.store import Store

_KEPT_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})


class Resources:
    """Create, read, write and delete objects with the checks that the API server makes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.after_delete: Callable[[Kind, Obj], None] = self._remove
        """How a deleted object leaves: controllers set what takes time (pods, namespaces)."""

    def get(self, target: Target) -> Obj:
        """Return one object; raises ApiError 404."""
        obj = self.store.get(target.kind, target.namespace, target.name)
        if obj is None:
            raise not_found(target.kind, target.name)
        return obj

    def create(self, target: Target, body: Obj) -> Obj:
        """Store a new object."""
        kind = target.kind
        obj = identified(target, body)
        self._require_namespace(target, obj["metadata"].get("name") or "")
        metadata = obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + suffix()
        metadata["uid"] = str(uuid4())
        metadata["creationTimestamp"] = stamp(now())
        for key in ("resourceVersion", "deletionTimestamp", "managedFields"):
            metadata.pop(key, None)
        if kind.generation:
            metadata["generation"] = 1
        if kind.status and kind is not NODE:
            obj.pop("status", None)
        self._fill(kind, obj)
        manager = apply.Manager(target.manager, "Update", kind.api_version)
        # The finalizer of a namespace comes after the books are made: nobody owns it.
        spec = obj.pop("spec") if kind is NAMESPACE else None
        apply.record_update(None, obj, manager=manager, now=stamp(now()))
        if spec is not None:
            obj["spec"] = spec
        return self._admit_new(target, obj)

    def _admit_new(self, target: Target, obj: Obj) -> Obj:
        kind, name = target.kind, obj["metadata"].get("name", "")
        policies.mutate(self.store, kind, obj)
        if kind is POD:
            self._prioritise(obj)
            limits.give_defaults(self.store, obj)
            obj["status"]["qosClass"] = defaults.quality(obj["spec"])
        validation.check(kind, obj, None)
        limits.admit(self.store, kind, obj)
        quota.admit(self.store, kind, obj)
        if self.store.get(kind, target.namespace, name):
            raise already_exists(kind, name)
        if target.dry_run:
            return obj
        stored = self.store.put(kind, obj)
        if kind is NAMESPACE:
            self._furnish(name)
        return stored

    def _prioritise(self, pod: Obj) -> None:
        spec = pod["spec"]
        name = spec.get("priorityClassName")
        priority_class = self.store.get(PRIORITY_CLASS, "", name) if name else {"value": 0}
        if priority_class is None:
            words = f"no PriorityClass with name {name} was found"
            raise forbidden(POD, pod["metadata"]["name"], words)
        spec["priority"] = priority_class["value"]
        spec["preemptionPolicy"] = priority_class.get("preemptionPolicy", "PreemptLowerPriority")

    def _furnish(self, namespace: str) -> None:
        """Put into a new namespace what controllers put there."""
        for kind, name in ((CONFIG_MAP, defaults.ROOT_CA), (SERVICE_ACCOUNT, "default")):
            body: Obj = {"metadata": {"name": name}}
            if kind is CONFIG_MAP:
                body["data"] = {"ca.crt": ""}
            self.create(Target(kind, namespace), body)

    def replace(self, target: Target, body: Obj) -> Obj:
        """PUT an object or its status."""
        obj = identified(target, body)
        name = obj["metadata"].get("name")
        if name != target.name:
            raise bad_request(
                f"the name of the object ({name}) does not match the name on the URL "
                f"({target.name})"
            )
        return self._update(target, self.get(target), obj)

    def merge(self, target: Target, patch: Any) -> Obj:
        """Apply a merge patch (strategic ones, too: our kinds have no list to merge)."""
        old = self.get(target)
        return self._update(target, old, patches.merge(old, patch))

    def operate(self, target: Target, operations: Any) -> Obj:
        """Apply a JSON patch."""
        old = self.get(target)
        return self._update(target, old, patches.apply_operations(defaults.copied(old), operations))

    def apply(self, target: Target, config: Obj, *, force: bool) -> tuple[Obj, bool]:
        """Apply a configuration server-side; return (object, whether it is new)."""
        kind = target.kind
        check_config(target, config)
        live = self.store.get(kind, target.namespace, target.name)
        if live is None:
            self._require_namespace(target, target.name)
        elif config["metadata"].get("resourceVersion") not in (
            None,
            live["metadata"]["resourceVersion"],
        ):
            raise modified(kind, target.name)
        manager = apply.Manager(target.manager, "Apply", kind.api_version, target.subresource)
        wanted = namespaced(target, config)
        merged = apply.merge_applied(live, wanted, manager=manager, force=force, now=stamp(now()))
        if merged is None and live is not None:
            return live, False
        obj: Obj = defaults.copied(merged)
        if live is not None:
            return self._finish_update(target, live, obj), False
        metadata = obj["metadata"]
        metadata.update(uid=str(uuid4()), creationTimestamp=stamp(now()))
        if kind.generation:
            metadata["generation"] = 1
        self._fill(kind, obj, f"/{target.name}; {kind.group}/{kind.version}, Kind={kind.name}")
        return self._admit_new(target, obj), True

    def _update(self, target: Target, old: Obj, obj: Obj) -> Obj:
        version = obj["metadata"].get("resourceVersion")
        if version not in (None, "", old["metadata"]["resourceVersion"]):
            raise modified(target.kind, target.name)
        new: Obj = defaults.copied(obj)
        keep_identity(target, old, new)
        self._fill_patched(target, new, obj)
        manager = apply.Manager(
            target.manager, "Update", target.kind.api_version, target.subresource
        )
        apply.record_update(old, new, manager=manager, now=stamp(now()))
        return self._finish_update(target, old, new)

    def _finish_update(self, target: Target, old: Obj, new: Obj) -> Obj:
        kind = target.kind
        self._fill(kind, new)
        policies.mutate(self.store, kind, new, old)
        if kind.generation and content(new) != content(old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if not target.subresource:
            validation.check(kind, new, old)
        if new == old or target.dry_run:
            return new
        stored = self.store.put(kind, new)
        metadata = stored["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self.after_delete(kind, stored)
        return stored

    def _fill(self, kind: Kind, obj: Obj, applied: str = "") -> None:
        try:
            defaults.fill(kind, obj)
        except QuantityError as error:
            if applied:
                message = (
                    f"failed to convert new object ({applied}) to proper version: unable to "
                    f"convert unstructured object to {kind.group}/{kind.version}, "
                    f"Kind={kind.name}: {error}"
                )
                raise ApiError(500, "", message) from None
            raise bad_request(
                f'{kind.name} in version "v1" cannot be handled as a {kind.name}: {error}'
            ) from None

    def _fill_patched(self, target: Target, new: Obj, patched: Obj) -> None:
        if target.verb != "patch":
            return self._fill(target.kind, new)
        try:
            return defaults.fill(target.kind, new)
        except QuantityError as error:
            shown = quoted(orjson.dumps(patched).decode())
            raise invalid_patch(value_invalid("patch", shown, str(error))) from None

    def delete(self, target: Target, options: Obj) -> Obj:
        """Delete one object; return what the client gets."""
        kind, old = target.kind, self.get(target)
        metadata = old["metadata"]
        if kind is NAMESPACE and target.name in _KEPT_NAMESPACES:
            raise forbidden(kind, target.name, "this namespace may not be deleted")
        check_preconditions(kind, metadata, options.get("preconditions") or {})
        if target.dry_run:
            return old
        policy = options.get("propagationPolicy") or ("Orphan" if kind is JOB else "Background")
        self._settle_dependents(old, orphan=policy == "Orphan")
        if metadata.get("finalizers") or kind in (NAMESPACE, POD):
            old = self._mark_deleted(kind, old)
        if not metadata.get("finalizers"):
            self.after_delete(kind, old)
        if kind.returns_deleted or metadata.get("finalizers"):
            return old
        details = {"name": target.name, "group": kind.group, "kind": kind.plural}
        details["uid"] = metadata["uid"]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }

    def _mark_deleted(self, kind: Kind, old: Obj) -> Obj:
        if "deletionTimestamp" in old["metadata"]:
            return old
        marked = {**old, "metadata": {**old["metadata"], "deletionTimestamp": stamp(now())}}
        if kind is NAMESPACE:
            marked["status"] = {**old["status"], "phase": "Terminating"}
        return self.store.put(kind, marked)

    def _settle_dependents(self, owner: Obj, *, orphan: bool) -> None:
        if owner["kind"] not in (JOB.name, WORKFLOW.name):
            return
        uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
        for pod in self.store.in_namespace(POD, namespace):
            references = pod["metadata"].get("ownerReferences") or []
            left = [reference for reference in references if reference["uid"] != uid]
            if len(left) == len(references):
                continue
            if orphan:
                self.store.put(
                    POD, {**pod, "metadata": {**pod["metadata"], "ownerReferences": left}}
                )
            else:
                self._remove(POD, pod)

    def _remove(self, kind: Kind, obj: Obj) -> None:
        self.store.remove(kind, obj)

    def _require_namespace(self, target: Target, name: str) -> None:
        if not target.kind.namespaced:
            return
        namespace = self.store.get(NAMESPACE, "", target.namespace)
        if namespace is None:
            raise not_found(NAMESPACE, target.namespace)
        if "deletionTimestamp" in namespace["metadata"]:
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {target.namespace} is being terminated",
                "field": "metadata.namespace",
            }
            words = (
                f"unable to create new content in namespace {target.namespace} because it is "
                "being terminated"
            )
            raise forbidden(target.kind, name, words, causes=[cause])
