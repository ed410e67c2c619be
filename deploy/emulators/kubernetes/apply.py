"""Server-side apply: who owns which field, conflicts, and what is no longer applied."""

from dataclasses import dataclass
from typing import Any

from deploy.emulators.kubernetes import fields
from deploy.emulators.kubernetes.errors import ApiError
from deploy.emulators.kubernetes.fields import FieldSet, Path
from deploy.emulators.kubernetes.kinds import Obj


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes: a name, `Apply` or `Update`, and the subresource written through."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    @property
    def shown(self) -> str:
        """How a conflict names this manager."""
        quoted = f'"{self.name}"'
        if self.subresource:
            quoted += f' with subresource "{self.subresource}"'
        return quoted if self.operation == "Apply" else f"{quoted} using {self.api_version}"


@dataclass(slots=True)
class Owned:
    """One manager's fields, and when they last changed."""

    fields: FieldSet
    time: str | None


Owners = dict[Manager, Owned]


def read_owners(obj: Obj) -> Owners:
    """Read `metadata.managedFields`."""
    owners: Owners = {}
    for entry in obj["metadata"].get("managedFields") or ():
        manager = Manager(
            entry.get("manager", ""),
            entry["operation"],
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        owners[manager] = Owned(fields.from_v1(entry.get("fieldsV1") or {}), entry.get("time"))
    return owners


def write_owners(obj: Obj, owners: Owners) -> None:
    """Write `metadata.managedFields` in the server's order."""
    entries = [_entry(manager, owned) for manager, owned in owners.items() if owned.fields]
    entries.sort(key=lambda entry: (entry["operation"], entry.get("time", ""), entry["manager"]))
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    if entries:
        metadata["managedFields"] = entries


def _entry(manager: Manager, owned: Owned) -> Obj:
    entry: Obj = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
    }
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = fields.to_v1(owned.fields)
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def record_update(old: Obj | None, new: Obj, *, manager: Manager, now: str) -> None:
    """Give the manager what it changed, and take it from the others; writes into `new`."""
    owners = read_owners(old) if old else {}
    before = fields.owned_part(old, manager.subresource) if old else {}
    changed, removed = fields.compare(before, fields.owned_part(new, manager.subresource))
    own = owners.get(manager, Owned(frozenset(), None))
    mine = (own.fields - removed) | changed
    for other, owned in owners.items():
        if other != manager:
            owned.fields = owned.fields - changed - removed
    time = own.time if mine == own.fields else now
    owners[manager] = Owned(mine, time)
    write_owners(new, owners)


def merge_applied(
    live: Obj | None, config: Obj, *, manager: Manager, force: bool, now: str
) -> Obj | None:
    """Apply a configuration; return the new object, or None when nothing changes.

    Raises ApiError 409 when another manager owns a field that gets another value, unless forced.
    """
    base = live or _bare(config)
    owners = read_owners(base)
    wanted = fields.owned_part(config, manager.subresource)
    mine = fields.applied(wanted)
    had = owners.get(manager, Owned(frozenset(), None))
    others = {other: owned for other, owned in owners.items() if other != manager}
    before = fields.owned_part(base, manager.subresource)
    after = _merge("", before, wanted)
    dropped = had.fields - mine
    if dropped:
        kept = mine.union(*(owned.fields for owned in others.values()))
        after = _without(after, dropped, kept)
    changed, removed = fields.compare(before, after)
    _settle(others, changed, removed, force=force)
    is_same = not changed and not removed
    if is_same and mine == had.fields and live:
        return None
    time = had.time if is_same and live else now
    merged = _put_back(base, after, manager.subresource)
    write_owners(merged, {manager: Owned(mine, time), **others})
    return merged


def _bare(config: Obj) -> Obj:
    metadata = config["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return {"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": kept}


def _put_back(base: Obj, part: Obj, subresource: str) -> Obj:
    if subresource:
        return {**base, "status": part.get("status", {})}
    own = fields.owned_part(base, "")
    metadata = {
        key: value for key, value in base["metadata"].items() if key not in own.get("metadata", {})
    }
    rest = {key: base[key] for key in ("apiVersion", "kind")}
    merged = {**rest, **part, "metadata": {**metadata, **part.get("metadata", {})}}
    if "status" in base:
        merged["status"] = base["status"]
    return merged


def _settle(others: Owners, changed: FieldSet, removed: FieldSet, *, force: bool) -> None:
    conflicts = {
        manager: sorted(owned.fields & changed)
        for manager, owned in others.items()
        if owned.fields & changed
    }
    if conflicts and not force:
        raise _conflict(conflicts)
    for owned in others.values():
        owned.fields = owned.fields - changed - removed


def _conflict(conflicts: dict[Manager, list[Path]]) -> ApiError:
    ordered = sorted(conflicts.items(), key=lambda conflict: conflict[0].shown)
    total = sum(len(paths) for _, paths in ordered)
    texts = []
    for manager, paths in ordered:
        if total == 1:
            texts.append(f"conflict with {manager.shown}: {fields.dotted(paths[0])}")
        else:
            listed = "".join(f"\n- {fields.dotted(path)}" for path in paths)
            texts.append(f"conflicts with {manager.shown}:{listed}")
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {manager.shown}",
            "field": fields.dotted(path),
        }
        for manager, paths in ordered
        for path in paths
    ]
    noun = "conflict" if total == 1 else "conflicts"
    message = f"Apply failed with {total} {noun}: " + "\n".join(texts)
    return ApiError(409, "Conflict", message, details={"causes": causes})


def _merge(name: str, live: Any, wanted: Any) -> Any:
    if isinstance(live, dict) and isinstance(wanted, dict) and not fields.is_whole(name):
        merged = dict(live)
        for key, value in wanted.items():
            merged[key] = _merge(key, live[key], value) if key in live else value
        return merged
    if isinstance(live, list) and isinstance(wanted, list):
        return _merge_lists(name, live, wanted)
    return wanted


def _merge_lists(name: str, live: list[Any], wanted: list[Any]) -> list[Any]:
    if fields.is_set(name):
        return live + [item for item in wanted if item not in live]
    keys = fields.list_keys(name, live + wanted)
    if not keys:
        return wanted
    merged = {fields.item_step(item, keys): item for item in live}
    for item in wanted:
        step = fields.item_step(item, keys)
        merged[step] = _merge(name + "[]", merged[step], item) if step in merged else item
    return list(merged.values())


def _without(part: Obj, dropped: FieldSet, kept: FieldSet) -> Obj:
    """Remove the dropped fields that nobody else keeps, and the maps that this empties."""
    alive = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    gone = {path for path in dropped if path not in alive}
    pruned: Obj = _prune((), "", part, gone) if gone else part
    return pruned


def _prune(path: Path, name: str, value: Any, gone: set[Path]) -> Any:
    below = fields.steps(name, value)
    if below is None or not any(lost[: len(path)] == path for lost in gone):
        return value
    left = [
        (step, child_name, _prune((*path, step), child_name, child, gone))
        for step, child_name, child in below
        if (*path, step) not in gone
    ]
    if isinstance(value, dict):
        return {
            child_name: child
            for step, child_name, child in left
            if child or child == value[child_name] or step in ("f:spec", "f:metadata")
        }
    if fields.is_set(name):
        return [item for item in value if (*path, fields.member_step(item)) not in gone]
    return [child for _, _, child in left]
