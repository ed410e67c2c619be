"""What codecs made of payloads: zlib is undone, encryption is said to be one.

Workers may have their payloads encoded before the server sees them. Only a codec server of theirs
can undo that; zlib needs no key, and is what the Go SDK brings along.
"""

from __future__ import annotations

import zlib
from typing import Final

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload

NO_SERVER: Final = "a codec server is not configured"
MOST_DECOMPRESSED: Final = 256_000
"""Bytes that a compressed payload may become; a larger one stays as it is."""
_PLAIN: Final = frozenset({b"", b"binary/null", b"binary/plain", b"binary/protobuf"})
_ZLIB: Final = b"binary/zlib"


def codec_note(encoding: bytes) -> str:
    """Why a payload of this encoding cannot be read; empty where no codec had a hand in it."""
    if encoding in _PLAIN or encoding.startswith(b"json/"):
        return ""
    if b"crypt" in encoding.lower():
        return f"encrypted by a codec; {NO_SERVER}"
    return f"encoded by a codec; {NO_SERVER}"


def decompressed(payload: Payload) -> Payload:
    """The payload inside one that was compressed with zlib; any other as it is."""
    if payload.metadata.get("encoding") != _ZLIB:
        return payload
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(payload.data, MOST_DECOMPRESSED)
        return Payload.FromString(content) if stream.eof else payload
    except (zlib.error, DecodeError):
        return payload
