"""JSON merge patch (RFC 7396) and JSON patch (RFC 6902)."""

from typing import Any

from deploy.emulators.kubernetes.errors import ApiError


def merge(target: Any, patch: Any) -> Any:
    """Return the target with a merge patch applied; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def rejected() -> ApiError:
    """Return what the server says to a JSON patch that does not fit."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, details={})


def apply_operations(document: Any, operations: Any) -> Any:
    """Apply JSON patch operations in place and return the document; raises ApiError 422."""
    if not isinstance(operations, list):
        raise rejected()
    root = {"": document}
    for operation in operations:
        try:
            _operate(root, operation)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError):
            raise rejected() from None
    return root[""]


def _operate(root: dict[str, Any], operation: dict[str, Any]) -> None:
    verb, path = operation["op"], _steps(operation["path"])
    if verb == "test":
        if _get(root, path) != operation["value"]:
            raise rejected()
    elif verb == "remove":
        _remove(root, path)
    elif verb == "replace":
        _get(root, path)
        _remove(root, path)
        _add(root, path, operation["value"])
    elif verb == "add":
        _add(root, path, operation["value"])
    elif verb in ("move", "copy"):
        value = _get(root, _steps(operation["from"]))
        if verb == "move":
            _remove(root, _steps(operation["from"]))
        _add(root, path, value)
    else:
        raise rejected()


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]


def _get(root: Any, steps: list[str]) -> Any:
    for step in steps:
        root = root[int(step)] if isinstance(root, list) else root[step]
    return root


def _remove(root: Any, steps: list[str]) -> None:
    parent = _get(root, steps[:-1])
    if isinstance(parent, list):
        del parent[int(steps[-1])]
    else:
        del parent[steps[-1]]


def _add(root: Any, steps: list[str], value: Any) -> None:
    parent = _get(root, steps[:-1])
    if isinstance(parent, dict):
        parent[steps[-1]] = value
    elif steps[-1] == "-":
        parent.append(value)
    else:
        parent.insert(int(steps[-1]), value)
