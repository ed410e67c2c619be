"""Reading bodies, page sizes and continue tokens; writing lists."""

import base64
import binascii
from typing import Any

import orjson
import yaml

from deploy.emulators.kubernetes.errors import ApiError, bad_request
from deploy.emulators.kubernetes.kinds import Kind, Obj

MOST_LEVELS = 200
"""Of lists and objects in one another; the writer ends at 254."""


def listed(kind: Kind, objects: list[Obj], metadata: Obj) -> Obj:
    """Return a `List` of objects."""
    unsaid = () if kind.custom else ("kind", "apiVersion")
    items = [{key: value for key, value in obj.items() if key not in unsaid} for obj in objects]
    return {
        "kind": f"{kind.name}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": items,
    }


def limit(text: str) -> int:
    """Read the page size; 0 is no limit. Raises ApiError 400."""
    try:
        return int(text or 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def token(version: int, key: str) -> str:
    """Return the continue token behind a key."""
    content = {"v": "meta.k8s.io/v1", "rv": version, "start": key + "\0"}
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def read_token(token: str) -> tuple[int, str]:
    """Return (version, last key) of a continue token; raises ApiError 400."""
    try:
        padded = token + "=" * (-len(token) % 4)
        content = orjson.loads(base64.urlsafe_b64decode(padded))
        return int(content["rv"]), str(content["start"]).rstrip("\0")
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        message = f"invalid continue token: continue key is not valid: {error}"
        raise bad_request(message) from None


def decode(body: bytes, kind: Kind | None = None) -> Any:
    """Read JSON or YAML; raises ApiError 400, and 415 for protobuf."""
    if body.startswith(b"k8s\x00"):
        message = (
            "the body of the request was in an unknown format - accepted media types include: "
        )
        message += "application/json, application/yaml"
        raise ApiError(415, "UnsupportedMediaType", message)
    try:
        value = orjson.loads(body)
        _refuse_deep(body, value)
        return value
    except orjson.JSONDecodeError as error:
        if kind:
            message = (
                f"the object provided is unrecognized (must be of type {kind.name}): couldn't "
                f"get version/kind; json parse error: {error}"
            )
            raise bad_request(message) from None
    return decode_yaml(body)


def _refuse_deep(body: bytes, value: Any) -> None:
    """What we could not write again, alone or in a list, is not taken. Raises ApiError 400."""
    if body.count(b"{") + body.count(b"[") < MOST_LEVELS:
        return
    try:
        orjson.dumps([[[[value]]]])
    except TypeError as error:
        raise bad_request(f"the emulator does not take it: {error}") from None


def decode_yaml(body: bytes) -> Any:
    """Read JSON or YAML of an apply; raises ApiError 400."""
    try:
        value = orjson.loads(body)
        _refuse_deep(body, value)
        return value
    except orjson.JSONDecodeError:
        pass
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise bad_request(f"error encoding patch: yaml: {error}") from None
