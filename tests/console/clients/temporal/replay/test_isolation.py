"""What the code of a bundle tries against us, as the user that the console runs as: it is refused.

One process tries everything and writes down what came of each attempt; a test for each reads it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from console.clients.temporal.replay import landlock
from console.clients.temporal.replay.runner import Bounds, Bundle, Contents, ReplayProcess
from tests.waiting import PATIENCE

ROOT: Final = Path(__file__).resolve().parents[5]

pytestmark = pytest.mark.skipif(
    landlock.version() < landlock.WHOLE, reason="this kernel has no Landlock: see console.W004"
)

# Each is one expression; DATABASE, OTHER, HOME, ROOT and OUTSIDE are paths, PARENT is our own pid.
OF_PROCESSES: Final = {
    "the parent's environment": 'open(f"/proc/{PARENT}/environ").read()',
    "the parent's memory, to read": 'open(f"/proc/{PARENT}/mem", "rb")',
    "the parent's memory, to write": 'open(f"/proc/{PARENT}/mem", "r+b")',
    "the parent's command line": 'open(f"/proc/{PARENT}/cmdline").read()',
    "the parent's open files": 'os.listdir(f"/proc/{PARENT}/fd")',
    "the parent's working directory": 'os.listdir(f"/proc/{PARENT}/cwd")',
    "the first process": 'open("/proc/1/environ").read()',
    "all processes": 'os.listdir("/proc")',
    "a signal to the parent": "os.kill(PARENT, 0)",
    "a signal to everybody": "os.kill(-1, 0)",
    "a signal to a group": "os.killpg(os.getpgid(PARENT), 0)",
    "a handle of the parent": "os.pidfd_open(PARENT)",
    "a signal to the parent by a descriptor": "fcntl.fcntl(0, fcntl.F_SETOWN, PARENT)",
    "limits of the parent": "resource.prlimit(PARENT, resource.RLIMIT_NOFILE, (9, 9))",
    "limits of its own": "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))",
    "priority of the parent": "os.setpriority(os.PRIO_PROCESS, PARENT, 19)",
    "processors of the parent": "os.sched_setaffinity(PARENT, {0})",
    "tracing the parent": "libc(libc.ptrace, 16, PARENT, 0, 0)",
    "the parent's memory by a call": "libc(libc.process_vm_readv, PARENT, 0, 0, 0, 0, 0)",
    "outliving the parent": "libc(libc.prctl, 1, 0, 0, 0, 0)",
    "shared memory of the system": "libc(libc.shmget, 7, 4096, 0o1600)",
    "another program": "os.execv(sys.executable, [sys.executable, '-c', ''])",
    "another process": "os.fork()",
    "memory that no limit counts": "os.memfd_create('x')",
}
OF_FILES: Final = {
    "the database, to read": "open(DATABASE, 'rb').read()",
    "the database, to write": "open(DATABASE, 'r+b')",
    "the database, by SQLite": "sqlite3.connect(DATABASE).execute('CREATE TABLE mine (x)')",
    "the database, cut off": "os.truncate(DATABASE, 0)",
    "the database, emptied": "os.open(DATABASE, os.O_RDONLY | os.O_TRUNC)",
    "the database, for everybody": "os.chmod(DATABASE, 0o666)",
    "the database, for nobody": "os.chown(DATABASE, 1, 1)",
    "the database, dated back": "os.utime(DATABASE, (0, 0))",
    "the database, with an attribute": "os.setxattr(DATABASE, 'user.x', b'x')",
    "the database, deleted": "os.unlink(DATABASE)",
    "the database, moved": "os.rename(DATABASE, 'mine')",
    "the database, replaced": "os.rename(made('mine'), DATABASE)",
    "the database, linked here": "os.link(DATABASE, 'linked')",
    "the database, by a symbolic link": "(os.symlink(DATABASE, 'here'), open('here').read())",
    "the database, by way of a handle": "open(f'/proc/self/fd/{os.open(DATABASE, os.O_PATH)}')",
    "the database, from its directory": (
        "os.open('headroom.sqlite3', os.O_RDONLY, dir_fd=os.open(OUTSIDE, os.O_PATH))"
    ),
    "the database, by a relative path": "open(os.path.relpath(DATABASE), 'rb')",
    "a file beside the database": "open(DATABASE + '-journal', 'w')",
    "a directory beside the database": "os.mkdir(OUTSIDE + '/mine')",
    "the directory of the database": "os.listdir(OUTSIDE)",
    "the users of the machine": "open('/etc/passwd').read()",
    "the name of the machine": "open('/etc/hostname').read()",
    "the home directory": "os.listdir(HOME)",
    "a key in the home directory": "open(HOME + '/.ssh/id_ed25519').read()",
    "the console's directory": "os.listdir(ROOT)",
    "the console's code": "open(ROOT + '/manage.py').read()",
    "another bundle": "os.listdir(OTHER)",
    "the code of another bundle": "open(OTHER + '/flows.py').read()",
    "importing another bundle": "(sys.path.insert(0, OTHER), importlib.import_module('other'))",
    "what others have in /tmp": "os.listdir('/tmp')",
    "a file in /tmp": "open('/tmp/headroom-mine', 'w')",
    "a file in /dev/shm": "open('/dev/shm/headroom-mine', 'w')",
    "shared memory by a name": "shared_memory.SharedMemory(create=True, size=1)",
    "the files of Python": "open(os.__file__, 'a')",
    "its own code": "open(__file__, 'a')",
    "its own code, deleted": "os.unlink(__file__)",
    "a symbolic link of its own": "os.symlink('/etc/passwd', 'passwd')",
    "a pipe with a name": "os.mkfifo('pipe')",
    "a device": "os.mknod('device', 0o600 | stat.S_IFCHR, os.makedev(1, 3))",
    "its own environment": "open('/proc/self/environ').read()",
    "another root": "os.chroot('.')",
    "a mount": "libc(libc.mount, b'none', b'.', b'tmpfs', 0, None)",
    "another namespace": "libc(libc.unshare, 0x10000000)",
}
OF_NETWORKS: Final = {
    "a socket": "socket.socket(socket.AF_INET)",
    "a socket of version 6": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "a local socket": "socket.socket(socket.AF_UNIX)",
    "the routes of the machine": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
}
CROSSING: Final = ("PermissionError", "OSError: [Errno 18]")
"""Landlock's answers for what would go from one place to another."""
OTHERWISE: Final[dict[str, str | tuple[str, ...]]] = {
    # Python takes a directory that it cannot list for an empty one.
    "importing another bundle": "ModuleNotFoundError",
    "the database, by SQLite": "OperationalError: unable to open database file",
    "the database, moved": CROSSING,
    "the database, replaced": CROSSING,
    "the database, linked here": CROSSING,
    # Whether there is one is no secret.
    "a key in the home directory": ("PermissionError", "FileNotFoundError"),
    # Python's words for a limit that may not be set.
    "limits of its own": "ValueError: not allowed to raise maximum limit",
}
ATTEMPTS: Final = OF_PROCESSES | OF_FILES | OF_NETWORKS
ALLOWED: Final = {
    "a file of its own": "open(made('own')).read()",
    "a directory of its own": "os.makedirs('a/b')",
    "a temporary file": "tempfile.TemporaryFile().write(b'x')",
    "a module of Python": "importlib.import_module('xml.dom.minidom')",
    "a module that is installed": "importlib.import_module('google.protobuf.struct_pb2')",
    "its own code": "open(__file__).read()",
    "chance": "os.urandom(8)",
    "nowhere": "open(os.devnull, 'w').write('x')",
    "a loop": "asyncio.new_event_loop().close()",
    "its own limits, to read": "resource.getrlimit(resource.RLIMIT_AS)",
    "a thread": "threading.Thread(target=int).start()",
    "a signal to itself": "os.kill(os.getpid(), 0)",
}

HOSTILE: Final = """
import asyncio, ctypes, fcntl, importlib, json, os, resource, socket, sqlite3, stat, sys, tempfile
import threading
from multiprocessing import shared_memory
from temporalio import workflow

c_library = ctypes.CDLL(None, use_errno=True)

class Calls:
    def __getattr__(self, name):
        return getattr(c_library, name)
    def __call__(self, function, *arguments):
        if function(*arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

libc = Calls()

def made(name):
    open(name, "w").write("x")
    return name

PARENT = os.getppid()
globals().update({places!r})
results = {{}}
if not os.path.exists("results.json"):  # it is imported again for each workflow
    for name, code in {attempts!r}.items():
        try:
            eval(code)
            results[name] = "done"
        except Exception as error:
            results[name] = f"{{type(error).__name__}}: {{error}}"
    with open("results.json", "w") as file:
        json.dump(results, file)

@workflow.defn(name=os.getcwd())
class Hostile:
    @workflow.run
    async def run(self) -> None:
        return None
"""


def run(home: Path, attempts: dict[str, str], places: dict[str, str]) -> dict[str, str]:
    """What came of each attempt of a bundle; `isolation` holds what was said about it."""
    home.mkdir()
    (home / "flows.py").write_text(HOSTILE.format(attempts=attempts, places=places))
    bounds = Bounds(seconds=PATIENCE, start_seconds=PATIENCE)
    with ReplayProcess(Bundle(("flows",), (str(home),)), bounds) as process:
        contents: Contents = process.start()
        results: dict[str, str] = json.loads(
            (Path(contents.workflows[0]) / "results.json").read_text()
        )
    return results | {"isolation": f"{contents.isolated} {contents.confined}"}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a database, as the console's is."""
    made = tmp_path_factory.mktemp("console")
    with sqlite3.connect(made / "headroom.sqlite3") as database:
        database.execute("CREATE TABLE audit_entry (actor TEXT)")
        database.execute("INSERT INTO audit_entry VALUES ('ada')")
    return made


@pytest.fixture(scope="module")
def came_of(outside: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What came of every attempt."""
    shelf = tmp_path_factory.mktemp("bundles")
    other = shelf / "other" / "1"
    other.mkdir(parents=True)
    for name in ("flows.py", "other.py"):
        (other / name).write_text("SECRET = 1\n")
    places = {
        "DATABASE": str(outside / "headroom.sqlite3"),
        "OUTSIDE": str(outside),
        "OTHER": str(other),
        "HOME": str(Path.home()),
        "ROOT": str(ROOT),
    }
    before = (outside / "headroom.sqlite3").read_bytes()
    yield run(shelf / "hostile", ATTEMPTS, places)
    assert (outside / "headroom.sqlite3").read_bytes() == before
    assert list(outside.iterdir()) == [outside / "headroom.sqlite3"]
    assert not Path("/tmp/headroom-mine").exists()  # noqa: S108 - what it tried to make


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_bundle_does_not_get_at(came_of: dict[str, str], attempt: str) -> None:
    result = came_of[attempt]
    assert result.startswith(OTHERWISE.get(attempt, "PermissionError")), result


def test_isolation_is_reported_as_whole(came_of: dict[str, str]) -> None:
    assert came_of["isolation"] == "True True"


def test_a_bundle_can_do_what_code_needs(tmp_path: Path) -> None:
    results = run(tmp_path / "harmless", ALLOWED, {})
    assert {name: results[name] for name in ALLOWED} == dict.fromkeys(ALLOWED, "done")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="for root only")
def test_a_bundle_of_root_has_none_of_roots_rights(tmp_path: Path) -> None:
    attempts = {
        "another user": "os.setuid(65534)",
        "another priority": "os.nice(-1)",
        "another host name": "socket.sethostname('mine')",
    }
    results = run(tmp_path / "root", attempts, {})
    assert {name for name in attempts if not results[name].startswith("PermissionError")} == set()


def test_what_lies_beside_the_wheel_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    attempts = {"beside": "open(HERE + '/secret').read()", "around": "os.listdir(HERE)"}
    results = run(tmp_path / "bundle", attempts, {"HERE": str(tmp_path)})
    assert all(results[name].startswith("PermissionError") for name in attempts)


def test_a_bundle_cannot_claim_to_be_less_isolated_than_it_is(tmp_path: Path) -> None:
    home = tmp_path / "flows"
    home.mkdir()
    (home / "flows.py").write_text(
        "import os, stat\n"
        "for number in range(3, 256):\n"
        "    try:\n"
        "        if stat.S_ISFIFO(os.fstat(number).st_mode):\n"
        '            os.write(number, b\'{"workflows": ["x"], "calls": false}\\n\')\n'
        "    except OSError:\n"
        "        pass\n"
    )
    bounds = Bounds(start_seconds=PATIENCE)
    with ReplayProcess(Bundle(("flows",), (str(home),)), bounds) as process:
        contents = process.start()
    assert (contents.isolated, contents.confined) == (True, True)
