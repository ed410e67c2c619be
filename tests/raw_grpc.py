"""One call of a gRPC method with bytes as they are: what a client that is no SDK may send.

    answer = raw_call(address, "WorkflowService/StartWorkflowExecution", request_bytes)

Just enough of HTTP/2 for a request of less than 16 kB and a short answer.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_SERVICE: Final = "/temporal.api.workflowservice.v1."


class Refusal(Exception):
    """The server did not take it; the text has what it said, as far as it can be read."""


def raw_call(address: str, method: str, request: bytes) -> bytes:
    """The answer's message. Raises Refusal when there is none."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:  # clock: hung
        connection.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        connection.sendall(_frame(_HEADERS, _END_HEADERS, 1, _headers(f"{_SERVICE}{method}", host)))
        message = b"\0" + struct.pack(">I", len(request)) + request
        connection.sendall(_frame(_DATA, _END_STREAM, 1, message))
        data, headers = b"", b""
        while True:
            kind, flags, stream, payload = _read_frame(connection)
            if kind == _SETTINGS and not flags & _ACK:
                connection.sendall(_frame(_SETTINGS, _ACK, 0, b""))
            if stream != 1:
                continue
            data += payload if kind == _DATA else b""
            headers += payload if kind == _HEADERS else b""
            if flags & _END_STREAM:
                break
    if len(data) < 5:
        raise Refusal(repr(headers))
    return data[5:]


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = b""
    while True:
        number, low = number >> 7, number & 127
        out += bytes([low | (128 if number else 0)])
        if not number:
            return out


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, a text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """A field of a whole number."""
    return varint(number << 3) + varint(value)


def _headers(path: str, authority: str) -> bytes:
    named = (
        *((b":path", path.encode()), (b":authority", authority.encode())),
        *((b"content-type", b"application/grpc"), (b"te", b"trailers")),
        (b"grpc-timeout", b"5S"),  # clock: of a poll; less than 2 s is refused
    )
    # Of the static table: :method POST, :scheme http. The rest as literals that are not indexed.
    return b"\x83\x86" + b"".join(b"\0" + _text(name) + _text(value) for name, value in named)


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value  # shorter than 127


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + struct.pack(">I", stream)
        + payload
    )


def _read_frame(connection: socket.socket) -> tuple[int, int, int, bytes]:
    head = _exactly(connection, 9)
    length = int.from_bytes(head[:3], "big")
    return head[3], head[4], int.from_bytes(head[5:9], "big"), _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise Refusal("the server hung up")
        data += part
    return data
