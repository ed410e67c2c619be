"""Real servers for tests and benches: on free ports, in directories of their own, quick to fail.

The shared fixtures are in `conftest.py`; a test that stops or pauses a server starts one of
its own with the context managers here.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from deploy import ports
from deploy.demo.parts.kubernetes import ClusterFiles, ControlPlane, KubePorts
from deploy.demo.parts.programs import KubeBinaries, kube_binaries
from deploy.demo.parts.temporal import TemporalPorts, temporal
from deploy.demo.parts.valkey import valkey as valkey_part
from deploy.demo.stack.part import Part
from deploy.demo.stack.patience import Patience, machine_slowness
from deploy.demo.stack.processes import Running, activity_of, log_tail
from tests.waiting import until

DIRECTORIES: Final = Path(tempfile.gettempdir()) / f"headroom-tests-{os.getuid()}"
"""Where every server of a test has its directory."""
NO_CLUSTER = "no Kubernetes control plane: set KUBEBUILDER_ASSETS"


class ServerError(Exception):
    """A server did not start; its text has the end of the log."""


_forbidden: Final[list[str]] = []


def forbid(reason: str) -> None:
    """From now on a test that starts a server is skipped at that moment, for this reason."""
    _forbidden.append(reason)


def skip_if_forbidden() -> None:
    """Stands before whatever makes a server ready; `Server.launch` calls it by itself."""
    if _forbidden:
        pytest.skip(_forbidden[-1])


class Server:
    """One part that a test controls. Starting it again keeps its port and its data."""

    def __init__(self, part: Part) -> None:
        """Nothing is started yet."""
        self.part = part
        self.paused = False
        self._running: Running | None = None

    @property
    def port(self) -> int:
        """The loopback port that clients talk to."""
        if self.part.port is None:
            message = f"{self.part.name} has no port"
            raise ServerError(message)
        return self.part.port

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._running is None:
            message = f"{self.part.name} does not run"
            raise ServerError(message)
        return self._running.pid

    def start(self) -> None:
        """Start it and wait until it is ready (or, a step, until it is done)."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        skip_if_forbidden()
        if self._running is None:
            self._running = Running(self.part)

    def wait_ready(self) -> None:
        """Wait until it is ready. Raises ServerError with the end of its log."""
        running, patience = self._running, Patience(self.part.start_timeout)
        if running is None:
            message = f"{self.part.name} was not started"
            raise ServerError(message)
        began = observed = time.monotonic()
        patience.begin(began)
        late = ""
        while not self._is_ready(running):
            if time.monotonic() - observed > 1:
                observed = time.monotonic()
                activity = activity_of(running.pid, self.part.log)
                slowness = machine_slowness()
                late = patience.observe(observed, activity, slowness=slowness, waits=False)
            if late or running.exit_code() is not None:
                code, tail = running.exit_code(), log_tail(self.part.log, 20)
                self.kill()
                how = late or f"did not become ready (exit code {code})"
                message = f"{self.part.name} {how}:\n{tail}"
                raise ServerError(message)
            time.sleep(0.02)  # clock: between looks

    def _is_ready(self, running: Running) -> bool:
        if self.part.once:
            return running.exit_code() == 0
        return running.exit_code() is None and (self.part.ready is None or self.part.ready())

    def stop(self) -> None:
        """Ask it to end, wait, insist. Nothing happens if it does not run."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._running is not None:
            self._running.kill()
            self._running = None

    def restart(self) -> None:
        """Stop and start on the same port with the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: it accepts connections and never answers, as a target that hangs."""
        if self._running is not None:
            self._running.signal(signal.SIGSTOP)
            group = self._running.pid
            until(lambda: group_is_stopped(group), "it goes on after SIGSTOP")
            self.paused = True

    def resume(self) -> None:
        """SIGCONT."""
        if self._running is not None:
            self._running.signal(signal.SIGCONT)
            self.paused = False


def group_is_stopped(group: int) -> bool:
    """Whether every thread of a process group stands still.

    The signal is sent at once and obeyed a little later: on a busy machine a thread that runs may
    still answer. Where there is no /proc nobody can tell.
    """
    states = set()
    for path in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group:
                states.add(state)
    return states <= set("TtZX")


class ValkeyServer(Server):
    """A Valkey."""

    @property
    def url(self) -> str:
        """For CELERY_BROKER_URL."""
        return f"redis://{self.address}/0"


@contextmanager
def directory(name: str) -> Iterator[Path]:
    """A directory that is gone afterwards. Its path is short: sockets may live in it."""
    DIRECTORIES.mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=DIRECTORIES))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def valkey(*, persistent: bool = True) -> Iterator[ValkeyServer]:
    """A Valkey; `persistent`: what is queued survives `stop` and `kill`."""
    with directory("valkey") as home:
        log = home / "valkey.log"
        part = valkey_part(port=ports.any_free(), data=home / "d", log=log, persistent=persistent)
        server = ValkeyServer(part)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def temporal_server(
    *, fairness: bool = True, partitions: int | None = 1, db_file: Path | None = None
) -> Iterator[Server]:
    """A Temporal server without UI; `.address` for clients. Without `db_file`, `stop` forgets."""
    with directory("temporal") as home:
        part = temporal(
            ports=TemporalPorts(
                grpc=ports.any_free(), http=ports.any_free(), metrics=ports.any_free(), ui=None
            ),
            log=home / "temporal.log",
            db_file=db_file,
            fairness=fairness,
            partitions=partitions,
        )
        server = Server(part)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach a cluster: as the administrator, and the tokens of other users by name."""

    kubeconfig: Path
    url: str
    token: str
    tokens: Mapping[str, str] = field(default_factory=dict)


class KubeControlPlane:
    """A control plane of a test's own; `apiserver` can be stopped, paused, killed."""

    def __init__(self, plane: ControlPlane, users: Mapping[str, tuple[str, ...]]) -> None:
        """`users`: groups by user name; each gets a token."""
        self._files = plane.files
        self._files.write()
        self._tokens = {name: self._files.add_user(name, *users[name]) for name in users}
        self._servers = {part.name: Server(part) for part in plane.parts()}
        self.apiserver = self._servers["kube-apiserver"]

    @property
    def cluster(self) -> Cluster:
        """How to reach it."""
        files = self._files
        return Cluster(files.kubeconfig, files.url, files.admin_token, dict(self._tokens))

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self._files.kubeconfig

    @property
    def url(self) -> str:
        """Of the API server."""
        return self._files.url

    @property
    def token(self) -> str:
        """The administrator's."""
        return self._files.admin_token

    def kubeconfig_of(self, user: str) -> Path:
        """A kubeconfig for one of the users."""
        path = self._files.directory / f"{user}.kubeconfig"
        path.write_text(self._files.kubeconfig_for(user, self._tokens[user]))
        return path

    def add_user(self, name: str, *groups: str) -> str:
        """A token for one more user; the API server is started again to learn it."""
        self._tokens[name] = self._files.add_user(name, *groups)
        self.apiserver.restart()
        return self._tokens[name]

    def start(self) -> None:
        """etcd, then the API server, then all the rest together."""
        first = ("etcd", "kube-apiserver")
        for name in first:
            self._servers[name].start()
        rest = [server for name, server in self._servers.items() if name not in first]
        for server in rest:
            server.launch()
        for server in rest:
            server.wait_ready()

    def stop(self) -> None:
        """etcd last: an API server whose store has gone does not end."""
        for server in sorted(self._servers.values(), key=lambda server: server.part.stop_rank):
            server.stop()


@contextmanager
def kube_control_plane(
    *,
    binaries: KubeBinaries | None = None,
    users: Mapping[str, tuple[str, ...]] | None = None,
    service_accounts: bool = False,
) -> Iterator[KubeControlPlane]:
    """A real control plane; with `service_accounts` pods need one that exists. Raises ServerError
    where `kube_binaries()` is None."""
    programs = binaries or kube_binaries()
    if programs is None:
        message = "no control plane in KUBEBUILDER_ASSETS or on PATH"
        raise ServerError(message)
    with directory("kube") as home, ExitStack() as cleanup:
        kube_ports = KubePorts(
            etcd=ports.any_free(),
            peer=ports.any_free(),
            api=ports.any_free(),
            manager=ports.any_free(),
            scheduler=ports.any_free(),
            kwok=ports.any_free(),
        )
        files = ClusterFiles(directory=home, url=f"https://127.0.0.1:{kube_ports.api}")
        plane = ControlPlane(
            binaries=programs,
            files=files,
            ports=kube_ports,
            logs=home,
            service_accounts=service_accounts,
        )
        control = KubeControlPlane(plane, users or {})
        cleanup.callback(control.stop)
        control.start()
        yield control
