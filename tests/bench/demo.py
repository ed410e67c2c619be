"""A demo of a bench's own: the stack of `make demo`, in a directory and on ports of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connections

from deploy import ports
from deploy.demo.stack.processes import log_tail
from deploy.demo.stack.state import ROOT, State

START_SECONDS: Final = 1800
STOP_SECONDS: Final = 120
# As the display writes a part that changed: name, state, and the pid of one that runs.
_PART: Final = re.compile(r"^ {2}(\S+)\s+([a-z]+)\s+(?:pid (\d+))?", re.M)
_STARTED: Final = re.compile(r"^(?:Ready|Started) in \d+ s.*$", re.M)


class Demo:
    """One that runs, seen through what it prints."""

    def __init__(self, home: Path) -> None:
        """Starts nothing yet."""
        self.state = State(home / "demo")
        self.port = ports.any_free()
        self._output = home / "demo.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._offset = 0

    @property
    def url(self) -> str:
        """Of the console."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """Of the cluster's administrator."""
        return self.state.directory / "kubernetes" / "kubeconfig"

    def start(self) -> str:
        """Starts it and waits until it says so: that sentence. Raises AssertionError."""
        self._offset = self._output.stat().st_size if self._output.exists() else 0
        environment = os.environ | {
            "DEMO_STATE_DIR": str(self.state.directory),
            "DEMO_PORT": str(self.port),
        }
        for name in ("DATABASE_URL", "CELERY_BROKER_URL", "LOG_LEVEL"):
            environment.pop(name, None)  # those of the bench are not the demo's
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.demo", "up"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (started := _STARTED.search(self.output())):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"the demo did not start:\n{log_tail(self._output, 40)}")
            time.sleep(0.5)
        return started[0]

    def output(self) -> str:
        """What it has printed since its start."""
        with self._output.open("rb") as stream:
            stream.seek(self._offset)
            return stream.read().decode(errors="replace")

    def parts(self) -> Mapping[str, tuple[str, int]]:
        """State and pid (0: none) of each part, as last printed."""
        return {name: (state, int(pid or 0)) for name, state, pid in _PART.findall(self.output())}

    def pid(self, name: str) -> int:
        """Of a part, and of its group; 0 while it does not run."""
        return self.parts()[name][1]

    @property
    def supervisor(self) -> int:
        """The pid of whoever starts the parts again; 0 when it is gone."""
        if self._process is None or self._process.poll() is not None:
            return 0
        return self._process.pid

    def signal(self, name: str, number: signal.Signals) -> int:
        """Sends a signal to all of a part; the pid that it had."""
        pid = self.pid(name)
        os.killpg(pid, number)
        return pid

    def kill_supervisor(self) -> None:
        """SIGKILL: nobody is left to start anything again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ends it, and what a killed one left."""
        environment = os.environ | {"DEMO_STATE_DIR": str(self.state.directory)}
        subprocess.run(
            [sys.executable, "-m", "deploy.demo", "stop"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            timeout=STOP_SECONDS,
            check=False,
        )
        if self._process is not None:
            self._process.wait(timeout=STOP_SECONDS)


@contextmanager
def running_demo(home: Path) -> Iterator[Demo]:
    """A demo that has started, whose database this process uses, too."""
    demo = Demo(home)
    try:
        demo.start()
        use_database(demo.state)
        yield demo
    finally:
        demo.stop()


def use_database(state: State) -> None:
    """From now on this process reads and writes a demo's SQLite file, and signs as it does."""
    path = state.database
    settings.SECRET_KEY = state.secret_key()
    connections["default"].close()
    settings.DATABASES["default"]["NAME"] = str(path)
    connections.settings["default"]["NAME"] = str(path)
    connections["default"].settings_dict["NAME"] = str(path)
