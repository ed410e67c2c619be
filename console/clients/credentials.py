"""Credential references: strings that say where a secret is, never the secret itself.

`kubeconfig:/path#context`   a kubeconfig file (context optional)
`kubeconfig:env:NAME#context`  the same, the path being in an environment variable
`env:NAME`                   a kubeconfig document, token, key or API key in an environment variable
`file:/path`                 the same in a mounted file, read again when it changes
`in-cluster`                 the service account of the pod that we run in
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from console.errors import Refused

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
SHAPES = "kubeconfig:/path#context, kubeconfig:env:NAME#context, env:NAME, file:/path or in-cluster"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret value that never shows itself; `value` is the only way to it."""

    value: str

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def scrub(self, text: str) -> str:
        """`text` with the secret blanked out, should a remote system have echoed it."""
        return text.replace(self.value, "***") if self.value else text


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed credential reference: `scheme` kubeconfig, env, file or in-cluster."""

    scheme: str
    location: str = ""
    context: str = ""

    def path(self) -> Path:
        """The file behind the reference; kubeconfig paths may come from the environment."""
        if self.scheme == "in-cluster":
            return SERVICE_ACCOUNT_TOKEN
        location = self.location
        if self.scheme == "kubeconfig" and location.startswith("env:"):
            location = _environment(location.removeprefix("env:"))
        return Path(location).expanduser()

    def read(self) -> Secret:
        """The secret now, stripped. Refused (code `credential`) when it is not there or empty."""
        if self.scheme == "env":
            return Secret(_environment(self.location))
        path = self.path()
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "not a text file"
            raise Refused(f"credential file {path}: {reason}", code="credential") from None
        if not text:
            raise Refused(f"credential file {path} is empty", code="credential")
        return Secret(text)

    def stamp(self) -> str:
        """Changes when the secret may have changed; cheap enough to ask before every call."""
        if self.scheme == "env":
            value = os.environ.get(self.location, "")
            return hashlib.sha256(value.encode()).hexdigest()[:16]
        if self.scheme == "in-cluster":
            return "in-cluster"  # rotated every hour; the SDK's loader reads it again each minute
        try:
            # Mounted secrets are symlinks that are swapped: follow them.
            stat = self.path().stat()
        except OSError:
            return "absent"
        return f"{stat.st_ino}-{stat.st_mtime_ns}-{stat.st_size}"


def parse(reference: str) -> Reference:
    """Parse a credential reference. Refused (code `credential`) says which shapes exist."""
    if reference == "in-cluster":
        return Reference("in-cluster")
    scheme, _, rest = reference.partition(":")
    context = ""
    if scheme == "kubeconfig":
        rest, _, context = rest.partition("#")
    if scheme not in {"kubeconfig", "env", "file"} or not rest or rest == "env:":
        # The text is not repeated: someone may have pasted the secret itself.
        raise Refused(f"not a credential reference; use {SHAPES}", code="credential")
    return Reference(scheme, rest, context)


def _environment(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise Refused(f"environment variable {name} is not set or empty", code="credential")
    return value
