"""Values that nobody means, for requests: each has broken some server somewhere."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_from_bytes

TEXTS: Final = [
    "", " ", "\t\r\n", "0", "-1", "1.5", "²", "①", "١٢٣", "１２", "Ⅳ", "+1", "0x10", "1_000",
    "1e309",
    "-0", "9" * 17, "9" * 18, "9" * 20, "9" * 5_000, "NaN", "Infinity", "true", "null", "None",
    "[" * 2_500, '{"a":' * 1_500, "[[[[", "]", "{}", "[]", '"', "'", "\\", "\\0", "%", "%00", "%s",
    "%(x)s", "{x}", "{{7*7}}", "{% x %}", "${x}", "`x`", "<b>x</b>", "<script>alert(1)</script>",
    "' OR 1=1; --", '" OR ""="', "../../etc/passwd", "/etc/passwd", "file:///etc/passwd",
    "javascript:alert(1)", "//evil.example", "http://[::1", "http://[", "https://x:99999/", "::::",
    "x" * 64, "x" * 255, "x" * 256, "x" * 300, "x" * 1_001, "x" * 20_000, "é" * 300, "😀" * 300,
    "\u202eevil", "\u200b", "\ufeff", "\x1b[31m", "a\0b", "\0", "\u2028", "İ", "ß" * 60, "ﬁ", "...",
    "2026-13-01", "0000-00-00", "0001-01-01", "9999-12-31", "2026-02-30T25:61:61Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-22T18:00:00", "yesterday",
    "99999999999h", "2h", "1e9d", ">30s..", "..", "30s..5m..1h", "a:b:c", "tenant:", 'id:"', "q:",
    "-", "--", "*", "*.*", "a,b", ",", ";", "a=b", "a&b", "#", "env:", "env:SECRET_KEY",
    "in-cluster",
    "kubeconfig:", "file:/etc/hostname", "lab", "acme", "standard", "pods", "requests.cpu",
]  # fmt: skip
BYTES: Final = [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80", b"a%00b", b"\x80" * 50]
NUMBERS: Final[list[Any]] = [
    0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 0.5, -0.0,
    1e308, 5e-324, True, False,
]  # fmt: skip


def value(rng: random.Random, depth: int = 0) -> Any:
    """Some JSON value."""
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind < 3:
        return rng.choice(TEXTS)
    if kind < 5:
        return rng.choice(NUMBERS)
    if kind == 5:
        return None
    if kind == 6:
        return [value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 30]))]
    return {rng.choice(TEXTS)[:50]: value(rng, depth + 1) for _ in range(rng.choice([0, 1, 3]))}


def parameter(rng: random.Random) -> str:
    """A value for a query or a form, encoded as it goes over the wire; not always UTF-8."""
    if rng.random() < 0.1:
        return quote_from_bytes(rng.choice(BYTES))
    return quote_from_bytes(rng.choice([*TEXTS, cursor(rng)]).encode())


def cursor(rng: random.Random) -> str:
    """What could be taken for the cursor of a page."""
    plain = rng.choice(
        [
            json.dumps([rng.choice([0, 1, "0"]), *(value(rng) for _ in range(rng.randrange(4)))]),
            "[" * 2_500, "[0" + ",1" * 500 + "]", '[0,"2026-13-01T00:00:00Z",1]', "[0,NaN,1]", "{}",
            "[0,1e400,1]", '[0,"2026-11-22T18:00:00",1]', "[1,null,null]", '[0,"\\u0000",1]',
            '[0,"\\ud800",1]', f"[0,{'9' * 5_000},1]", '["0001-01-01T00:00:00+23:59",1]', "",
            '[0,"0001-01-01T00:00:00+23:59",1]', '[0,"9999-12-31T23:59:59-23:59",1]',
        ]
    )  # fmt: skip
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def mutated(body: Any, rng: random.Random) -> Any:
    """A JSON value with something odd in some of its places, at any depth."""
    if rng.random() < 0.1:
        return value(rng)
    if isinstance(body, Mapping):
        fields = {name: mutated(inner, rng) if rng.random() < 0.4 else inner
                  for name, inner in body.items() if rng.random() > 0.1}  # fmt: skip
        if rng.random() < 0.1:
            fields[rng.choice(TEXTS)[:50]] = value(rng)
        return fields
    if isinstance(body, list):
        return [mutated(inner, rng) for inner in body] * rng.choice([1, 1, 1, 2, 50])
    return value(rng) if rng.random() < 0.5 else body


def meant(schema: Mapping[str, Any], parts: Mapping[str, Any], rng: random.Random) -> Any:
    """A value that fits an OpenAPI schema as far as the schema says; `parts` are its components."""
    if "$ref" in schema:
        return meant(parts[schema["$ref"].rpartition("/")[2]], parts, rng)
    if "example" in schema and rng.random() < 0.7:
        return schema["example"]
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            return meant(rng.choice(schema[several]), parts, rng)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        return {
            name: meant(inner, parts, rng)
            for name, inner in schema.get("properties", {}).items()
            if name in schema.get("required", ()) or rng.random() < 0.6
        }
    if kind == "array":
        return [meant(schema.get("items", {}), parts, rng) for _ in range(rng.randrange(3))]
    words = ["acme", "lab", "standard", "pods", "because", "flows@1", "cancel", "1", "2h", "heal"]
    plain = {"integer": rng.choice([0, 1, 5]), "boolean": rng.random() < 0.5, "number": 1.5}
    return plain.get(str(kind), rng.choice(words))
