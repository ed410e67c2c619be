"""The commands of the embedded stack: `python -m deploy.demo up | stop | reset | status`."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable

from deploy import ports
from deploy.demo.assembly import assemble
from deploy.demo.stack.display import Display
from deploy.demo.stack.part import CannotStartError
from deploy.demo.stack.processes import group_exists, leftovers, signal_group
from deploy.demo.stack.state import State, Supervised
from deploy.demo.stack.supervisor import Reports, Supervisor, Unit
from deploy.demo.summary import summary

DEFAULT_PORT = 8000
HIGHEST_PORT = 65535
SUPERVISOR_PATIENCE = 60.0  # seconds; it gives its parts at most 15 in each of four ranks


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    command = COMMANDS[parser.parse_args(arguments).command]
    try:
        return command(State.from_environment())
    except CannotStartError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def up(state: State) -> int:
    """Start everything and keep it running until Ctrl-C."""
    port = wanted_port()
    state.create()
    if not state.lock():
        say(already_running(state.supervisor()))
        return 0
    clear_leftovers(state)
    if not ports.is_free(port):
        raise CannotStartError(
            f"Port {port} is in use by another program. "
            f"Choose another one: make demo DEMO_PORT={ports.next_free(port + 1)}"
        )
    prepare_environment(state)
    stack = assemble(state, port)
    display = Display()

    def started(units: list[Unit], seconds: float) -> None:
        display.message(summary(stack.config, units, seconds))

    state.record_supervisor(stack.config.url)
    display.message(f"Starting {len(stack.parts)} parts; logs in {state.logs}")
    reports = Reports(display.show, display.message, state.record, started)
    code = Supervisor(stack.parts, reports).run()
    display.last("Stopped.")
    return code


def prepare_environment(state: State) -> None:
    """What every part inherits: the mark that makes it ours, and no proxy for loopback."""
    name, value = state.mark
    os.environ[name] = value
    for variable in ("NO_PROXY", "no_proxy"):
        others = os.environ.get(variable, "")
        os.environ[variable] = ",".join(filter(None, (others, "127.0.0.1", "localhost")))


def wanted_port() -> int:
    """DEMO_PORT, checked."""
    raw = os.environ.get("DEMO_PORT") or str(DEFAULT_PORT)
    if not raw.isdecimal() or not 0 < int(raw) <= HIGHEST_PORT:
        raise CannotStartError(f"DEMO_PORT={raw} is not a port: give a number from 1 to 65535.")
    return int(raw)


def already_running(supervisor: Supervised | None) -> str:
    """What the second `make demo` says."""
    if supervisor is None:
        return "The demo is being started or stopped right now. Try again in a moment."
    return (
        f"The demo is running already: {supervisor.url} (pid {supervisor.identity.pid}). "
        "`make demo-stop` stops it."
    )


def clear_leftovers(state: State) -> int:
    """End what an earlier supervisor that was killed left behind; the number of groups."""
    groups = leftovers(state.recorded(), state.mark)
    for group in groups:
        signal_group(group, signal.SIGTERM)
        signal_group(group, signal.SIGCONT)
    wait_until(lambda: not any(group_exists(group) for group in groups), seconds=5.0)
    for group in groups:
        signal_group(group, signal.SIGKILL)
    wait_until(lambda: not any(group_exists(group) for group in groups), seconds=5.0)
    state.record([])
    return len(groups)


def wait_until(done: Callable[[], bool], *, seconds: float) -> bool:
    """Wait for `done`; whether it came about."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop(state: State) -> int:
    """Stop a running demo from another terminal, and what a killed one left behind."""
    supervisor = state.supervisor()
    if supervisor:
        os.kill(supervisor.identity.pid, signal.SIGTERM)
        if not wait_until(lambda: not supervisor.identity.alive(), seconds=SUPERVISOR_PATIENCE):
            os.kill(supervisor.identity.pid, signal.SIGKILL)
    left = clear_leftovers(state) if state.directory.exists() else 0
    if supervisor:
        say("Stopped.")
    else:
        say(f"Stopped {left} leftover parts." if left else "The demo is not running.")
    return 0


def reset(state: State) -> int:
    """Stop, and delete all data."""
    stop(state)
    say(f"Deleted {state.directory}." if state.delete() else "There is no data to delete.")
    return 0


def status(state: State) -> int:
    """Say whether a demo runs: 0 if so, 3 if not (as for services)."""
    supervisor = state.supervisor()
    say(already_running(supervisor) if supervisor else "The demo is not running.")
    return 0 if supervisor else 3


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


COMMANDS = {"up": up, "stop": stop, "reset": reset, "status": status}
