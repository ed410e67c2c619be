"""The nodes of a Workflow, wherever its controller put them: plain, packed, or elsewhere. Pure."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import brotli
import zstandard

from console import lenient_json
from console.unstructured import mapping
from observability.engines.unstructured import text

MOST_BYTES: Final = 64 * 2**20
"""Of unpacked nodes. What is packed may claim to be any size."""
MOST_NODES: Final = 20_000
NOT_FETCHED: Final = "The controller keeps the steps of this run in its database, not in the object"


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes by id. `missing` says why they are not loaded; empty when what is here is all."""

    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: str = ""


def phase_of_node(node: Mapping[str, Any]) -> str:
    """Pending, Running, Succeeded, Skipped, Failed, Error or Omitted."""
    return text(node.get("phase"), 20)


def type_of_node(node: Mapping[str, Any]) -> str:
    """Pod, Container, Steps, StepGroup, DAG, TaskGroup, Retry, Skipped, Suspend, HTTP, Plugin."""
    return text(node.get("type"), 20)


def nodes_of(status: dict[str, Any]) -> Nodes:
    """The nodes of a status. Packed ones are read only where there are no plain ones."""
    plain = status.get("nodes")
    if isinstance(plain, dict) and plain:
        return _bounded(plain)
    packed = status.get("compressedNodes")
    if isinstance(packed, str) and packed:
        try:
            return _bounded(mapping(lenient_json.loads(unpack(packed))))
        except (ValueError, binascii.Error) as problem:
            return Nodes(missing=f"The packed steps cannot be read: {problem}"[:300])
    if text(status.get("offloadNodeStatusVersion")):
        return Nodes(missing=NOT_FETCHED)
    return Nodes()


def _bounded(nodes: dict[str, Any]) -> Nodes:
    known = {key: node for key, node in nodes.items() if isinstance(node, dict)}
    if len(known) <= MOST_NODES:
        return Nodes(known)
    kept = dict(list(known.items())[:MOST_NODES])
    return Nodes(kept, f"Only {MOST_NODES} of {len(known)} steps were read")


def unpack(packed: str) -> bytes:
    """The bytes behind `compressedNodes`: base64 of gzip, zstandard or (otherwise) brotli.
    Raises ValueError when they are none of these or too many."""
    data = base64.b64decode(packed)
    if data.startswith(b"\x1f\x8b"):
        return _gzip(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstandard(data)
    return _brotli(data)


def _gzip(data: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=31)
    try:
        unpacked = reader.decompress(data, MOST_BYTES)
    except zlib.error as problem:
        raise ValueError(str(problem)) from None
    return _whole(unpacked, complete=reader.eof)


def _zstandard(data: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=MOST_BYTES).stream_reader(data)
    try:
        unpacked = reader.read(MOST_BYTES + 1)
    except zstandard.ZstdError as problem:
        raise ValueError(str(problem)) from None
    return _whole(unpacked, complete=len(unpacked) <= MOST_BYTES)


def _brotli(data: bytes) -> bytes:
    reader = brotli.Decompressor()
    try:
        unpacked = reader.process(data, output_buffer_limit=MOST_BYTES)
    except brotli.error as problem:
        raise ValueError(str(problem) or "not brotli") from None
    return _whole(unpacked, complete=reader.is_finished())


def _whole(unpacked: bytes, *, complete: bool) -> bytes:
    if not complete:
        raise ValueError(f"cut off, or more than {MOST_BYTES >> 20} MiB")
    return unpacked
