"""What may be entered for tenants and targets. Pure; every refusal names the field and a remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from console.clients import credentials
from console.errors import DomainError, Refused

LABEL_KEY = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$")
LONGEST_LABEL = 200
MOST_LABELS = 32
RESERVED = frozenset({"new", "dots"})
"""Words that stand where a short name stands in the address of a page."""
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
_PLACE = re.compile(r"^[^\s#]{1,250}$")
_SECRET_NAME = re.compile(r"(?i)(pass(word|wd|phrase)|secret|token|api_?-?key|private|bearer)")
LINKS = ("ui_url", "trace_url", "logs_url")
"""Options of every kind of target: where the engine's own pages, traces and logs are."""
PLACEHOLDERS = frozenset(
    {
        *("namespace", "workflow_id", "run_id", "task_id", "job", "pod", "queue", "trace_id"),
        *("request_id", "tenant", "from_ms", "to_ms"),
    }
)
"""What a link may have in braces, but for `ui_url`, which is where a page begins."""
RETENTION = "trail_retention_days"
LONGEST_RETENTION = 3650
LONGEST_URL = 1000
ON_A_CLUSTER = frozenset({"kubernetes", "argo"})
"""Kinds of targets whose credential may be a kubeconfig or that of our own pod."""
REFERENCES = ("argo_server_token", "client_cert", "client_key", "server_ca")
"""Options that say where a credential is, in the same words as the credential."""
FILES = ("ca_file", "argo_server_ca_file")
"""Options that are the path of a file."""
ADDRESS_OPTIONS = ("tls", "server_ca", "server_name", "ca_file", "insecure_skip_tls_verify")
"""Options that say whom the credential is sent to, besides the endpoint."""
_BRACES = re.compile(r"\{([^{}]*)\}")
_SECRET_SHAPES = (
    (re.compile(r"-----BEGIN "), "a PEM block"),
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"), "a signed token"),
    (re.compile(r"(?i)^bearer\s"), "a bearer token"),
    (re.compile(r"://[^/@\s]+:[^/@\s]+@"), "a URL with a password"),
    (re.compile(r"^[^\s@/:]+:[^\s@/]+@"), "an address with a password"),
    (re.compile(r"^[A-Za-z0-9+/_=-]{48,}$"), "a long random text"),
)


def check_slug(slug: str) -> str:
    """The short name of something new. Raises DomainError("reserved") for words of the console;
    its shape is the model's to check."""
    if slug in RESERVED:
        raise DomainError(
            "reserved",
            f"Slug: {slug!r} is a word of the console; choose another short name.",
            field="slug",
        )
    return slug


def check_labels(labels: Mapping[Any, Any]) -> dict[str, str]:
    """Labels as stored: text by text. Raises DomainError("invalid_label")."""
    if len(labels) > MOST_LABELS:
        raise _label(f"{len(labels)} labels are too many; keep to {MOST_LABELS}")
    for key, value in labels.items():
        if not isinstance(key, str) or not LABEL_KEY.fullmatch(key):
            raise _label(
                f"{key!r} is not a label name; use letters, digits, dots, slashes and hyphens"
            )
        if not isinstance(value, str) or len(value) > LONGEST_LABEL:
            raise _label(
                f"{key}: {value!r} is not accepted; use a text of up to {LONGEST_LABEL} characters"
            )
    return dict(sorted(labels.items()))


def _label(message: str) -> DomainError:
    return DomainError("invalid_label", f"Labels: {message}.", field="labels")


def check_credential(reference: str) -> str:
    """A reference to where a credential is. Whatever may be the secret itself is refused, and is
    not repeated in the message. Empty is allowed: some targets need none."""
    bare = reference.strip()
    if not bare:
        return ""
    try:
        parsed = credentials.parse(bare)
    except Refused:
        raise _credential() from None
    if parsed.scheme == "env" and not _VARIABLE.fullmatch(parsed.location):
        raise _credential()
    if parsed.scheme == "file" and not (
        parsed.location.startswith("/") and _PLACE.fullmatch(parsed.location)
    ):
        raise _credential()
    if parsed.scheme == "kubeconfig" and not _kubeconfig(parsed):
        raise _credential()
    return bare


def _kubeconfig(parsed: credentials.Reference) -> bool:
    if parsed.location.startswith("env:"):
        return bool(_VARIABLE.fullmatch(parsed.location.removeprefix("env:")))
    return bool(_PLACE.fullmatch(parsed.location)) and parsed.location.startswith(("/", "~", "."))


def _credential() -> DomainError:
    return DomainError(
        "invalid_credential",
        "Credential: what was entered is not a reference, and a secret is never stored here; use "
        f"{credentials.SHAPES}.",
        field="credential",
    )


def check_target(
    kind: str, known_options: Mapping[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    """Fields of a target as stored. Raises DomainError where one is, or may be, a secret, and where
    one names a credential that may not be used on this server, unless that option stays as it was
    (`known_options`)."""
    if "credential" in fields:
        fields["credential"] = check_credential(fields["credential"])
        check_allowed("credential", fields["credential"], on_a_cluster=kind in ON_A_CLUSTER)
    for name in ("endpoint", "options", "name"):
        if name in fields:
            check_no_secret(name, fields[name])
    if isinstance(options := fields.get("options"), Mapping):
        check_links(options)
        _check_places({k: v for k, v in options.items() if (known_options or {}).get(k) != v})
    return fields


def _check_places(options: Mapping[str, Any]) -> None:
    for name in REFERENCES:
        check_allowed("options", options.get(name), on_a_cluster=False)
    for name in FILES:
        if isinstance(path := options.get(name), str) and path:
            check_allowed("options", f"file:{path}", on_a_cluster=False)


def check_allowed(field: str, reference: Any, *, on_a_cluster: bool) -> None:
    """Raises DomainError("credential_not_allowed") for a reference that the server's settings let
    no target name, or of a shape that is for clusters only. What is no reference at all is for
    others to say."""
    if not isinstance(reference, str) or not reference:
        return
    try:
        parsed = credentials.parse(reference)
    except Refused:
        return
    try:
        parsed.check() if on_a_cluster else credentials.parse_secret(reference).check()
    except Refused as error:
        label, text = field.capitalize(), error.message
        message = f"{label}: {text}."
        raise DomainError("credential_not_allowed", message, field=field) from None


def needs_credential_again(
    before: Mapping[str, Any], endpoint: Any, options: Mapping[str, Any]
) -> bool:
    """Whether a target with these fields would send its credential to another address, or to one
    that proves less who it is, than the target with the fields `before`."""
    if endpoint != before["endpoint"]:
        return True
    known = before["options"] or {}
    return any((options.get(name) or None) != (known.get(name) or None) for name in ADDRESS_OPTIONS)


def check_links(options: Mapping[str, Any]) -> None:
    """The options that every kind of target has: links and how long its runs are kept. Raises
    DomainError("invalid_link" or "invalid_retention") with `options.NAME` as field."""
    for name in LINKS:
        if (value := options.get(name)) not in (None, "") and (why := _fault_in(name, value)):
            message = f"Options: {name} {value!r:.200} is not accepted: {why}."
            raise DomainError("invalid_link", message, field=f"options.{name}")
    days = options.get(RETENTION)
    whole = isinstance(days, int) and not isinstance(days, bool)
    if days is not None and not (whole and 1 <= days <= LONGEST_RETENTION):
        raise DomainError(
            "invalid_retention",
            f"Options: {RETENTION} {days!r:.40} is not accepted; use whole days from 1 to"
            f" {LONGEST_RETENTION}, or leave it out.",
            field=f"options.{RETENTION}",
        )


def _fault_in(name: str, url: Any) -> str:
    if not isinstance(url, str) or len(url) > LONGEST_URL or any(map(str.isspace, url)):
        return f"use a URL of up to {LONGEST_URL} characters without blanks"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound or "{" in parts.netloc:
        return "use an http or https URL such as https://logs.example/search?q={pod}"
    if name == "ui_url":
        return "it is where the engine's pages begin and takes no braces" if "{" in url else ""
    if unknown := sorted(set(_BRACES.findall(url)) - PLACEHOLDERS):
        return f"{{{unknown[0]}}} is unknown; use {', '.join(sorted(PLACEHOLDERS))}"
    return "a brace stands alone" if re.search(r"[{}]", _BRACES.sub("", url)) else ""


def check_no_secret(field: str, value: Any, path: str = "") -> None:
    """Raises DomainError("inline_secret") when a text, or any text inside a mapping or list, looks
    like a secret; the text is not repeated."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_named(field, str(key), inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            check_no_secret(field, inner, path)
    elif isinstance(value, str):
        for shape, words in _SECRET_SHAPES:
            if shape.search(value):
                raise _secret(field, path, f"looks like {words}")


def _check_named(field: str, key: str, inner: Any, path: str) -> None:
    if _SECRET_NAME.search(key) and isinstance(inner, str) and inner:
        if _is_reference(inner):
            return  # says where the secret is
        raise _secret(field, path, "is named like a secret")
    check_no_secret(field, inner, path)


def _is_reference(text: str) -> bool:
    if not text.startswith(("env:", "file:")):
        return False
    try:
        return bool(check_credential(text))
    except DomainError:
        return False


def _secret(field: str, path: str, why: str) -> DomainError:
    where = f"{field}.{path}" if path else field
    return DomainError(
        "inline_secret",
        f"{where} {why}; put it where the server can read it and name that place as the "
        f"credential: {credentials.SHAPES}.",
        field=field,
    )
