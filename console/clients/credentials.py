"""Credential references: strings that say where a secret is, never the secret itself.

`kubeconfig:/path#context`   a kubeconfig file (context optional)
`kubeconfig:env:NAME#context`  the same, the path being in an environment variable
`env:NAME`                   a kubeconfig document, token, key or API key in an environment variable
`file:/path`                 the same in a mounted file, read again when it changes
`in-cluster`                 the service account of the pod that we run in, for its own cluster

Which variables and files may be named at all, `console.clients.allowance` says.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.clients import allowance
from console.errors import Refused

_TOKEN: Final = re.compile(r"[!-~]+( [!-~]+)?")
SHAPES = "kubeconfig:/path#context, kubeconfig:env:NAME#context, env:NAME, file:/path or in-cluster"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret value that never shows itself; `value` is the only way to it."""

    value: str

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def token(self) -> str:
        """The value, where it can be sent as a token, or as a scheme and a token. Refused (code
        `credential`) for line breaks and what else no token has: it is some other kind of file."""
        if not _TOKEN.fullmatch(self.value):
            raise Refused(
                "the credential is not a token: it has line breaks, blanks or letters that no "
                "token has",
                code="credential",
            )
        return self.value

    def scrub(self, text: str) -> str:
        """`text` with the secret blanked out, should a remote system have echoed it."""
        return text.replace(self.value, "***") if self.value else text


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed credential reference: `scheme` kubeconfig, env, file or in-cluster."""

    scheme: str
    location: str = ""
    context: str = ""

    def check(self) -> None:
        """Refused (code `credential`) when it names what may not be named on this server. Whether
        it is there is not looked at."""
        if self.scheme == "env":
            allowance.current().variable(self.location)
        elif self.scheme == "kubeconfig" and self.location.startswith("env:"):
            allowance.current().variable(self.location.removeprefix("env:"))
        elif self.scheme != "in-cluster":
            allowance.current().file(Path(self.location))

    def path(self) -> Path:
        """The file behind the reference, resolved; kubeconfig paths may come from the environment.
        Refused (code `credential`) for one that may not be named."""
        location = self.location
        if self.scheme == "kubeconfig" and location.startswith("env:"):
            location = _environment(location.removeprefix("env:"))
        return allowance.current().file(Path(location))

    def read(self) -> Secret:
        """The secret now, stripped. Refused (code `credential`) when it may not be named, is not
        there, or empty. An `in-cluster` has none that anybody else could be given."""
        if self.scheme == "env":
            return Secret(_environment(self.location))
        if self.scheme == "in-cluster":
            raise Refused("in-cluster is for the cluster that we run in", code="credential")
        return Secret(allowance.read_file(self.path()))

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


def parse_secret(reference: str) -> Reference:
    """Parse a reference to a secret that is sent as it stands: a variable or a file. Refused (code
    `credential`) for the other shapes, whose content is for clusters only."""
    parsed = parse(reference)
    if parsed.scheme not in ("env", "file"):
        raise Refused(
            f"{parsed.scheme} is for clusters only; use env:NAME or file:/path", code="credential"
        )
    return parsed


def _environment(name: str) -> str:
    value = os.environ.get(allowance.current().variable(name), "").strip()
    if not value:
        raise Refused(f"environment variable {name} is not set or empty", code="credential")
    return value
