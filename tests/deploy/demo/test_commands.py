"""`make demo` from outside: a busy port, a second start, and only its own processes stopped."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import ports
from deploy.demo import commands
from deploy.demo.stack.part import CannotStartError
from deploy.demo.stack.processes import identify
from deploy.demo.stack.state import State
from tests.waiting import PATIENCE, until

# The command with tiny programs instead of servers; the first argument is the command.
DUMMY = """
import sys
from deploy.demo import commands
from deploy.demo.assembly import Stack
from deploy.demo.parts.console import StackConfig
from deploy.demo.stack.part import Part

def assemble(state, port):
    code = "import time; print('up', flush=True); time.sleep(600)"
    log = state.logs / "server.log"
    server = Part(name="server", argv=(sys.executable, "-c", code), log=log)
    known = StackConfig(state=state, web_port=port, valkey_port=1, temporal_port=2,
                         temporal_ui_port=3, kubeconfig=state.directory / "k", kubernetes="real")
    return Stack([server], known)

commands.assemble = assemble
sys.exit(commands.main(sys.argv[1:]))
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "demo")


Command = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def demo(state: State) -> Iterator[Command]:
    """Runs a command of the stack in its own process, with tiny programs."""
    started: list[subprocess.Popen[str]] = []
    environment = {
        **os.environ,
        "DEMO_STATE_DIR": str(state.directory),
        "DEMO_PORT": str(ports.any_free()),
    }

    def run(command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", DUMMY, command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield run
    run("stop").wait(timeout=PATIENCE)
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def started(demo: Command, state: State) -> tuple[subprocess.Popen[str], int]:
    """A running demo, and the pid of its one part."""
    supervisor = demo("up")
    until(lambda: bool(state.recorded()) and state.supervisor() is not None)
    pid = state.recorded()[0].pid
    until(lambda: b"sleep(600)" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return supervisor, pid


def runs(pid: int) -> bool:
    identity = identify(pid)
    return identity is not None and identity.alive()


def test_a_busy_port_is_one_clear_message_and_nothing_is_started(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("DEMO_PORT", str(port))
        monkeypatch.setenv("DEMO_STATE_DIR", str(state.directory))
        assert commands.main(["up"]) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"Port {port} is in use by another program. Choose another one:")
    assert "make demo DEMO_PORT=" in output.err
    assert state.recorded() == []


@pytest.mark.parametrize("value", ["web", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_PORT", value)
    with pytest.raises(CannotStartError, match=f"DEMO_PORT={value} is not a port"):
        commands.wanted_port()


def test_a_second_start_says_that_the_first_one_runs(demo: Command, state: State) -> None:
    _, pid = started(demo, state)
    second = demo("up")
    output, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0
    assert "The demo is running already: http://127.0.0.1:" in output
    assert runs(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_what_it_started_and_nothing_else(
    demo: Command, state: State, number: signal.Signals
) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as bystander:
        supervisor, pid = started(demo, state)
        supervisor.send_signal(number)
        output, _ = supervisor.communicate(timeout=PATIENCE)
        assert output.endswith("Stopped.\n")
        assert supervisor.returncode == 0
        assert not runs(pid)
        assert runs(bystander.pid)
        bystander.kill()


def test_stop_ends_a_demo_from_another_terminal(demo: Command, state: State) -> None:
    supervisor, pid = started(demo, state)
    output, _ = demo("stop").communicate(timeout=PATIENCE)
    assert output == "Stopped.\n"
    assert supervisor.wait(timeout=PATIENCE) == 0
    assert not runs(pid)


def test_parts_do_not_outlive_a_killed_supervisor(demo: Command, state: State) -> None:
    supervisor, pid = started(demo, state)
    supervisor.kill()
    supervisor.wait(timeout=PATIENCE)
    until(lambda: not runs(pid))


def test_stop_finds_a_leftover_child_and_spares_a_recycled_number(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded are a group of ours and a number that somebody else has by now."""
    state.create()
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    name, value = state.mark
    marked = {**os.environ, name: value}
    with (
        subprocess.Popen(sleep, start_new_session=True, env=marked) as ours,
        subprocess.Popen(sleep, start_new_session=True) as other,
    ):
        identity, recycled = identify(ours.pid), identify(other.pid)
        assert identity is not None
        assert recycled is not None
        until(lambda: Path(f"/proc/{ours.pid}/environ").read_bytes().find(b"DEMO_STATE") > 0)
        earlier = type(recycled)(recycled.pid, recycled.began - 1)
        state.record([identity, earlier])
        monkeypatch.setattr(commands, "group_exists", lambda group: ours.poll() is None)
        assert commands.clear_leftovers(state) == 1
        assert ours.wait(timeout=PATIENCE) == -signal.SIGTERM
        assert other.poll() is None
        other.kill()


def test_reset_deletes_its_own_directory_only(demo: Command, state: State, tmp_path: Path) -> None:
    started(demo, state)
    output, _ = demo("reset").communicate(timeout=PATIENCE)
    assert output == f"Stopped.\nDeleted {state.directory}.\n"
    assert not state.directory.exists()
    foreign = tmp_path / "documents"
    foreign.mkdir()
    (foreign / "thesis").write_text("years of work")
    with pytest.raises(CannotStartError, match="was not made by"):
        State(foreign).delete()
    with pytest.raises(CannotStartError, match="is not empty"):
        State(foreign).create()
    assert (foreign / "thesis").exists()


def test_ports_are_remembered_and_chosen_anew_when_busy(state: State) -> None:
    state.create()
    first = state.choose_ports("valkey", "temporal")
    assert state.choose_ports("valkey", "temporal") == first
    with socket.create_server(("127.0.0.1", first["valkey"])):
        second = state.choose_ports("valkey", "temporal")
    assert second["temporal"] == first["temporal"]
    assert second["valkey"] not in first.values()


def test_demos_that_start_together_look_at_different_ports(tmp_path: Path) -> None:
    chosen = []
    for name in "abcdef":
        state = State(tmp_path.with_name(f"demo-{name}"))
        state.create()
        chosen.append(state.choose_ports("valkey")["valkey"])
        state.delete()
    assert len(set(chosen)) > 1


def test_secrets_are_for_their_owner_only(state: State) -> None:
    state.create()
    assert state.secret_key() == state.secret_key()
    assert (state.directory / "secret-key").stat().st_mode & 0o777 == 0o600
    assert state.directory.stat().st_mode & 0o777 == 0o700
