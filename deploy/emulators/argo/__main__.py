"""`python -m deploy.emulators.argo --kubeconfig FILE`: a small workflow controller, for demos."""

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.clients import allowance
from console.clients.allowance import Allowance
from console.errors import ExternalError
from deploy.emulators.argo.archive import Archive
from deploy.emulators.argo.cluster import Cluster
from deploy.emulators.argo.controller import Controller
from deploy.emulators.argo.server import Answers, serve

LOOK_SECONDS = 30.0
"""How often it is looked whether a real controller has come."""
IDLE_SECONDS = 4.0
"""Between two looks where no workflow is under way."""


def main(arguments: list[str] | None = None) -> int:
    """Runs until a signal; 3 when a real controller is at work and `--stand-by` is not given."""
    options = _parser().parse_args(arguments)
    cluster = Cluster(f"kubeconfig:{options.kubeconfig}", options.managed_namespace)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    archive = Archive()
    try:
        with _server(cluster, archive, options):
            return _serve(cluster, archive, options, stop)
    finally:
        cluster.close()


@contextlib.contextmanager
def _server(cluster: Cluster, archive: Archive, options: argparse.Namespace) -> Iterator[None]:
    """The Argo server, where a port for it is given."""
    if not options.server_port:
        yield
        return
    server = serve(Answers(cluster, archive), options.server_token_file, options.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _serve(
    cluster: Cluster, archive: Archive, options: argparse.Namespace, stop: threading.Event
) -> int:
    controller: Controller | None = None
    looked = 0.0
    last_message = ""
    while not stop.is_set():
        now = datetime.now(UTC)
        try:
            if now.timestamp() - looked >= LOOK_SECONDS:
                why = _why_not(cluster, options.controller_namespace, now)
                if why and not options.stand_by:
                    sys.stderr.write(f"{why}\n")
                    return 3
                controller = None if why else controller or _controller(cluster, archive, options)
                last_message = _say(
                    why or "The emulated workflow controller is at work.", last_message
                )
                looked = now.timestamp()
            if controller is not None:
                controller.round(now)
        except ExternalError as error:
            last_message = _say(error.message, last_message)
        idle = controller is None or not controller.is_busy
        stop.wait(max(options.every, IDLE_SECONDS) if idle else options.every)
    return 0


def _why_not(cluster: Cluster, namespace: str, now: datetime) -> str:
    if holder := cluster.real_controller(namespace, now):
        return f"A real workflow controller is at work here ({holder})."
    if not cluster.install():
        return "A real Argo is, or was, at work here: its definition of Workflows is there."
    return ""


def _controller(cluster: Cluster, archive: Archive, options: argparse.Namespace) -> Controller:
    return Controller(
        cluster,
        parallelism=options.parallelism,
        namespace_parallelism=options.namespace_parallelism,
        requeue=timedelta(seconds=options.requeue),
        archive=archive,
    )


def _say(text: str, before: str) -> str:
    if text != before:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy.emulators.argo", description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two looks")
    parser.add_argument("--requeue", type=float, default=10.0, help="seconds a refused pod waits")
    parser.add_argument("--parallelism", type=int, default=0)
    parser.add_argument("--namespace-parallelism", type=int, default=0)
    parser.add_argument("--controller-namespace", default="argo")
    parser.add_argument("--managed-namespace", default="", help="look after this one alone")
    parser.add_argument("--server-port", type=int, default=0, help="of an Argo server; 0 is none")
    parser.add_argument("--server-token-file", type=Path, help="what its callers must know")
    parser.add_argument(
        "--stand-by", action="store_true", help="wait, instead of ending, where a real Argo is"
    )
    return parser


if __name__ == "__main__":
    # Whoever runs this has a shell here and says the kubeconfig: nothing in it is somebody else's.
    allowance.configure(lambda: Allowance(places=(Path("/"),), plugins=True))
    sys.exit(main())
