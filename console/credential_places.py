"""What the settings let targets name as a credential, less what is Headroom's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from django.conf import settings

from console import env
from console.clients.allowance import OWN_PREFIXES, Allowance

_SQLITE_ENDS: Final = ("", "-wal", "-shm", "-journal")
_SYSTEM: Final = ("/", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/usr", "/var")


def allowed() -> Allowance:
    """What `console.clients.allowance` asks for, before each use of a credential."""
    return Allowance(
        env_prefix=settings.CREDENTIAL_ENV_PREFIX,
        places=tuple(Path(place) for place in settings.CREDENTIAL_DIRS if is_usable(Path(place))),
        plugins=settings.CREDENTIAL_PLUGINS,
        own_variables=frozenset(env.names),
        own_files=frozenset(map(_real, _own_files())),
    )


def own_variables() -> set[str]:
    """The variables that no target may ever name, as far as they are known by name."""
    return env.names | {name for name in os.environ if name.startswith(OWN_PREFIXES)}


def is_usable(place: Path) -> bool:
    """Whether credentials may lie there: an absolute path, and no directory of the system's."""
    return place.is_absolute() and str(_real(place)) not in _SYSTEM


def _own_files() -> list[Path]:
    database = settings.DATABASES["default"]
    name = str(database["NAME"])
    is_file = database["ENGINE"].endswith("sqlite3")
    return [*env.files, *(Path(f"{name}{end}") for end in _SQLITE_ENDS if is_file)]


def _real(path: Path) -> Path:
    """Links resolved, as far as it is there."""
    return path.resolve()
