"""`python -m tests.bench push|sweep|pages|jobs|rest|faults|all`: figures; slow is not an error.

`push` is also `click` and `weights`, `jobs` has several too; each can be asked for by name. Each
bench is a process of its own with an empty database in a directory of its own; nothing outlives
it.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import django
from django.core.management import call_command

from deploy.demo.parts.programs import kube_binaries
from tests.bench.figures import Bench, progress, show
from tests.servers import DIRECTORIES, directory

SETS: Final = {
    "push": ("push", "click", "weights"),
    "sweep": ("sweep",),
    "pages": ("pages",),
    # Everything about the job audit trail; a name with a hyphen is a module with an underscore.
    "jobs": ("ingest-temporal", "ingest-celery", "history", "jobs-pages"),
    "rest": ("rest",),
    "faults": ("faults",),
}
ALL: Final = tuple(name for names in SETS.values() for name in names)
NEEDS_CLUSTER: Final = frozenset({"push", "click", "sweep", "rest", "faults"})


def main(arguments: list[str]) -> int:
    """Runs what was asked for; 1 when something failed, 2 for a wrong argument."""
    name = arguments[0] if len(arguments) == 1 else ""
    if name == "all":
        return _each(ALL)
    if name in SETS and SETS[name] != (name,):
        return _each(SETS[name])
    if name in ALL:
        return _one(name)
    if name.startswith("only-") and name[5:] in ALL:
        return _one(name[5:])
    sys.stderr.write(
        f"usage: python -m tests.bench {'|'.join(dict.fromkeys((*SETS, *ALL, 'all')))}\n"
    )
    return 2


def _each(names: tuple[str, ...]) -> int:
    codes = [
        subprocess.run(
            [sys.executable, "-m", "tests.bench", f"only-{name}"], check=False
        ).returncode
        for name in names
    ]
    return 1 if any(codes) else 0


def _one(name: str) -> int:
    if name in NEEDS_CLUSTER and kube_binaries() is None:
        progress(f"{name}: not measured, no Kubernetes control plane (set KUBEBUILDER_ASSETS).")
        return 0
    with directory(f"bench-{name}") as home:
        environment(home)
        django.setup()
        call_command("migrate", verbosity=0)
        progress(f"{name}: load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        bench: Bench = importlib.import_module(f"tests.bench.{name.replace('-', '_')}").run
        show(name, bench(home))
    return 0


def environment(home: Path) -> None:
    """The settings of this process and of what it starts: as in production, but on loopback."""
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "DATABASE_URL": f"sqlite:///{home / 'bench.sqlite3'}",
            "SECRET_KEY": "bench-" * 10,
            "DEBUG": "false",
            "SECURE_COOKIES": "false",
            "WHITENOISE_USE_FINDERS": "true",
            "STATIC_ROOT": str(home / "static"),
            "LOG_LEVEL": "ERROR",
            # The kubeconfigs of control planes that are started here.
            "CREDENTIAL_DIRS": f"{DIRECTORIES},{home}",
            # Nothing listens there: what a bench does not start itself is not wanted.
            "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        }
    )
    (home / "static").mkdir(exist_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
