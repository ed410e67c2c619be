"""Valkey: the broker of Celery."""

from pathlib import Path

from deploy.demo.parts import programs
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part


def valkey(*, port: int, data: Path, log: Path, persistent: bool = True) -> Part:
    """A Valkey on loopback that keeps its data in `data`: queued work survives a restart."""
    data.mkdir(parents=True, exist_ok=True)
    program = programs.valkey_server()
    argv = (
        *(str(program), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data)),
        *("--daemonize", "no", "--save", "", "--appendonly", "yes" if persistent else "no"),
        # A broker must never drop a message to make room.
        *("--maxmemory-policy", "noeviction"),
    )
    return Part(
        name="valkey",
        argv=argv,
        log=log,
        port=port,
        ready=probes.pongs(port),
        stop_rank=20,
        note="broker" if "valkey" in program.name else "broker (redis)",
    )
