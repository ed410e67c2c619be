"""A real RabbitMQ for tests, where the machine has one: it is no Python package."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy import ports
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from tests.servers import Server, directory

_PLACES = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/sbin")


def program() -> Path | None:
    """The server's own script; what stands in /usr/sbin changes to another user first."""
    paths = [Path(place) / "rabbitmq-server" for place in _PLACES]
    return next((path for path in paths if path.exists() and shutil.which("epmd")), None)


@contextmanager
def rabbitmq(script: Path) -> Iterator[Server]:
    """A RabbitMQ with its own name server; `.address` for clients, guest with guest. Stopping it
    keeps its data."""
    with directory("rabbit") as home, ExitStack() as stack:
        names, port = ports.any_free(), ports.any_free()
        for server in (_epmd(names, home), _server(script, names, port, home)):
            stack.callback(server.stop)
            server.start()
        yield server


def _epmd(port: int, home: Path) -> Server:
    return Server(
        Part(
            name="epmd",
            argv=(shutil.which("epmd") or "epmd", "-port", str(port), "-address", "127.0.0.1"),
            log=home / "epmd.log",
            port=port,
            ready=probes.accepts(port),
        )
    )


def _server(script: Path, names: int, port: int, home: Path) -> Server:
    (home / "plugins").write_text("[].")
    env = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(ports.any_free()),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "logs"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(home / "none"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
    }
    return Server(
        Part(
            name="rabbitmq",
            argv=(str(script),),
            env=env,
            log=home / "rabbitmq.log",
            port=port,
            ready=probes.accepts(port),
            start_timeout=300.0,
            stop_timeout=30.0,  # clock: then it is killed
        )
    )
