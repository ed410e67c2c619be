"""Our processes are closed to others of the same user, from the moment that they start working."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console import linux
from tests.waiting import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")

# Past whatever has been put in the place of standard output by then.
DUMPABLE = (
    "import ctypes, os\n"
    "def tell():\n"
    "    os.write(1, b'dumpable: %d\\n' % ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
)
STARTS = {
    "web": "import console.wsgi; tell()",
    "web on ASGI": "import console.asgi; tell()",
    "granian's own process": (
        "import console.web as web, sys\nweb.entrypoint = lambda: tell()\nweb.main()"
    ),
    "worker": (
        "from console.celery import app\n"
        "from celery.signals import worker_init\n"
        "def stop(**_):\n"
        "    tell()\n"
        "    os._exit(0)\n"
        "worker_init.connect(stop)\n"
        "app.worker_main(['worker', '--pool', 'solo'])"
    ),
    "beat": (
        "from console.celery import app\n"
        "from celery.signals import beat_init\n"
        "def stop(**_):\n"
        "    tell()\n"
        "    os._exit(0)\n"
        "beat_init.connect(stop)\n"
        "app.start(['beat', '--pidfile', '', '--schedule', 'schedule'])"
    ),
    "commands, ingest among them": (
        "import runpy, sys\n"
        "from django.core import management\n"
        "management.execute_from_command_line = lambda argv: tell()\n"
        "runpy.run_path(ROOT + '/manage.py', run_name='__main__')"
    ),
}


@pytest.mark.parametrize("start", STARTS)
def test_it_is_closed_to_others(start: str, tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": root, "CELERY_BROKER_URL": "memory://"}
    ended = subprocess.run(
        [sys.executable, "-c", f"ROOT = {root!r}\n{DUMPABLE}{STARTS[start]}"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "dumpable: 0\n" in ended.stdout, ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="starts programs as another user")
def test_what_is_closed_cannot_be_read_by_its_own_user() -> None:
    """Once with a process that is open, once with one that is closed."""
    code = (
        "import ctypes, os, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "parent, child = os.pipe()\n"
        "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        "if sys.argv[1] == 'closed': linux.forbid_inspection()\n"
        "if os.fork() == 0:\n"
        "    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        "    try:\n"
        "        open(f'/proc/{os.getppid()}/environ').read()\n"
        "        print('read')\n"
        "    except PermissionError:\n"
        "        print('refused')\n"
        "    sys.exit()\n"
        "os.wait()\n"
    )
    root = str(Path(linux.__file__).parents[1])
    answers = {
        state: subprocess.run(
            [sys.executable, "-c", f"from console import linux\n{code}", state],
            env={"PYTHONPATH": root},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        ).stdout.strip()
        for state in ("open", "closed")
    }
    assert answers == {"open": "read", "closed": "refused"}


def test_a_call_that_fails_says_why() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        linux.prctl(-1, 0)
    with pytest.raises(OSError, match="not implemented"):
        linux.call(100_000)


def test_giving_memory_back_changes_nothing_else() -> None:
    kept = [bytes([number % 256]) * 5000 for number in range(2000)]
    del kept[::2]
    linux.give_back_memory()
    assert kept == [bytes([number % 256]) * 5000 for number in range(1, 2000, 2)]
