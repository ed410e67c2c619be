"""What credential references may name on this server: whoever runs it says so, in its settings.

Whoever edits targets may only choose among that. Nothing is allowed before `configure` was called;
what is Headroom's own (its variables, the files that its settings are read from, its database) is
never allowed, whatever the settings say.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from console.errors import Refused

OWN_PREFIXES: Final = ("AWS_", "AZURE_", "DJANGO_", "GOOGLE_", "PG", "PYTHON")
"""Beginnings of variables that libraries of ours read, secrets among them."""
_SYSTEM: Final = (Path("/proc"), Path("/sys"), Path("/dev"))
_LARGEST: Final = 2**20


@dataclass(frozen=True, slots=True)
class Allowance:
    """`env_prefix` begins the variables that may be named ("": none). `places` are directories, or
    single files. `plugins`: a kubeconfig may have programs run for it."""

    env_prefix: str = ""
    places: tuple[Path, ...] = ()
    plugins: bool = False
    own_variables: frozenset[str] = frozenset()
    own_files: frozenset[Path] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """For another process of ours, which `from_json` makes the same of."""
        return {
            "env_prefix": self.env_prefix,
            "places": [str(place) for place in self.places],
            "plugins": self.plugins,
            "own_variables": sorted(self.own_variables),
            "own_files": sorted(map(str, self.own_files)),
        }

    @staticmethod
    def from_json(words: Mapping[str, Any]) -> Allowance:
        """What `as_json` gave."""
        return Allowance(
            env_prefix=words["env_prefix"],
            places=tuple(map(Path, words["places"])),
            plugins=words["plugins"],
            own_variables=frozenset(words["own_variables"]),
            own_files=frozenset(map(Path, words["own_files"])),
        )

    def is_own_variable(self, name: str) -> bool:
        """Whether a variable is one that Headroom, or a library of its, reads."""
        return name in self.own_variables or name.startswith(OWN_PREFIXES)

    def variable(self, name: str) -> str:
        """The variable's name again. Refused (code `credential`) for one that may not be named."""
        if not self.env_prefix or not name.startswith(self.env_prefix):
            begin = f"names have to begin with {self.env_prefix}" if self.env_prefix else "none may"
            _refuse(f"environment variable {name}", f"{begin} (CREDENTIAL_ENV_PREFIX)")
        if self.is_own_variable(name):
            _refuse(f"environment variable {name}", "it is one of Headroom's own")
        return name

    def file(self, path: Path) -> Path:
        """The file that a path leads to, `..` and links resolved. Refused (code `credential`) when
        it lies, or leads, elsewhere than where credentials may lie."""
        try:
            real = path.expanduser().resolve()
        except (OSError, RuntimeError, ValueError):
            raise Refused(f"{path} is no path of a file", code="credential") from None
        if not any(real.is_relative_to(place.resolve()) for place in self.places):
            _refuse(f"file {path}", f"files have to be in {self._places()} (CREDENTIAL_DIRS)")
        if any(real.is_relative_to(place) for place in _SYSTEM) or real in self.own_files:
            _refuse(f"file {path}", "it is one of Headroom's own or of the system's")
        return real

    def _places(self) -> str:
        return ", ".join(map(str, self.places)) or "a directory that none is set for"


_source: Callable[[], Allowance] = Allowance


def configure(source: Callable[[], Allowance]) -> None:
    """Has `source` say, each time it is asked, what is allowed in this process."""
    global _source
    _source = source


def current() -> Allowance:
    """What is allowed now."""
    return _source()


def read_file(path: Path) -> str:
    """The text of an allowed file, stripped. Refused (code `credential`) when it may not be named,
    is not there, no file of text, empty, or larger than a credential is."""
    real = current().file(path)
    try:
        # Not to wait for the writer of a pipe; not to follow a link that came in between.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
                raise Refused(f"credential file {path}: not a small text file", code="credential")
            text = file.read(_LARGEST).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not a text file"
        raise Refused(f"credential file {path}: {reason}", code="credential") from None
    if not text:
        raise Refused(f"credential file {path} is empty", code="credential")
    return text


def _refuse(what: str, rule: str) -> NoReturn:
    raise Refused(
        f"the {what} may not be used as a credential on this server: {rule}. Put the credential "
        "where it may be, then say on the target where that is",
        code="credential",
    )
