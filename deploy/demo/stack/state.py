"""The state directory of the embedded stack: data, logs, ports, secrets, and who runs it."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

from deploy import ports
from deploy.demo.stack.part import CannotStartError
from deploy.demo.stack.private_files import write_private
from deploy.demo.stack.processes import Identity, identify

ROOT = Path(__file__).resolve().parents[3]
MARKER = "This directory belongs to `make demo`; `make demo-reset` deletes it.\n"
# Below the range from which the system takes the ports of outgoing connections.
FIRST_PORT = 18000
PORTS_EACH = 50
BLOCKS = 40


@dataclass(frozen=True, slots=True)
class Supervised:
    """The supervisor that runs now: its process, and the address of the console."""

    identity: Identity
    url: str


class State:
    """One state directory. `DEMO_STATE_DIR` names it, `.demo` in the repository by default."""

    def __init__(self, directory: Path) -> None:
        """Names only: nothing is read or written before `create`."""
        self.directory = directory.resolve()
        self.logs = self.directory / "logs"
        self.database = self.directory / "headroom.sqlite3"
        self.credentials = self.directory / "credentials.json"
        self._lock_fd: int | None = None

    @classmethod
    def from_environment(cls) -> "State":
        """The directory that the environment names."""
        return cls(Path(os.environ.get("DEMO_STATE_DIR") or ROOT / ".demo"))

    @property
    def mark(self) -> tuple[str, str]:
        """The environment variable by which processes of this stack are recognised."""
        return ("HEADROOM_DEMO_STATE", str(self.directory))

    def create(self) -> None:
        """Make the directory, for its owner only. One that holds other things is refused."""
        marker = self.directory / "README"
        if self.directory.exists() and not marker.exists() and any(self.directory.iterdir()):
            raise CannotStartError(
                f"{self.directory} is not empty and was not made by `make demo`. "
                "Choose another directory with DEMO_STATE_DIR."
            )
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker.write_text(MARKER)
        self.logs.mkdir(exist_ok=True)

    def delete(self) -> bool:
        """Delete everything. False: there was nothing. Another's directory is never deleted."""
        if not self.directory.exists():
            return False
        if not (self.directory / "README").exists():
            raise CannotStartError(f"{self.directory} was not made by `make demo`; not deleted.")
        shutil.rmtree(self.directory)
        return True

    def lock(self) -> bool:
        """Become the one supervisor of this directory. False: another one is."""
        self._lock_fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_fd)
            return False
        return True

    def supervisor(self) -> Supervised | None:
        """The supervisor that runs, if one does."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            recorded = json.loads((self.directory / "supervisor.json").read_text())
            identity = Identity(int(recorded["pid"]), int(recorded["began"]))
            if identity.alive():
                return Supervised(identity, str(recorded["url"]))
        return None

    def record_supervisor(self, url: str) -> None:
        """Write down that this process supervises."""
        own = identify(os.getpid())
        content = {"pid": os.getpid(), "began": own.began if own else 0, "url": url}
        write_private(self.directory / "supervisor.json", json.dumps(content))

    def recorded(self) -> list[Identity]:
        """The processes that were started last, running or not."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            rows = json.loads((self.directory / "processes.json").read_text())
            return [Identity(int(pid), int(began)) for pid, began in rows]
        return []

    def record(self, processes: list[Identity]) -> None:
        """Write down what runs, so that it is found again after a SIGKILL of the supervisor."""
        rows = [[process.pid, process.began] for process in processes]
        write_private(self.directory / "processes.json", json.dumps(rows))

    def choose_ports(self, *names: str) -> dict[str, int]:
        """A free port per name: the one of the last start if it is still free."""
        path = self.directory / "ports.json"
        # Each directory looks first at ports of its own, so that they rarely change.
        first = FIRST_PORT + zlib.crc32(str(self.directory).encode()) % BLOCKS * PORTS_EACH
        try:
            known: dict[str, int] = json.loads(path.read_text())
        except (OSError, ValueError):
            known = {}
        chosen: dict[str, int] = {}
        for name in names:
            port = known.get(name)
            if port is None or port in chosen.values() or not _ours(port):
                port = ports.next_free(first, {*known.values(), *chosen.values()})
            chosen[name] = port
        write_private(path, json.dumps(known | chosen, indent=2))
        return chosen

    def secret_key(self) -> str:
        """Django's secret key: made once, readable by its owner only."""
        path = self.directory / "secret-key"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(48))
        return path.read_text()


def _ours(port: int) -> bool:
    """Whether nobody listens on it, and no demo or test that starts at this moment is about to."""
    return ports.is_free(port) and ports.promise(port)
