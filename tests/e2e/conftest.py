"""The demo as a newcomer starts it, and a browser in front of it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    StorageState,
    expect,
    sync_playwright,
)

from deploy.demo.workloads.argo_workflows import workflow
from deploy.ports import any_free
from tests.e2e.browser import find
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "screenshots"
START_SECONDS = 600
LICENCE_SECONDS = 3600
"""How long the licence is kept for which a Workflow waits: longer than all browser tests take."""


@dataclass(frozen=True)
class Demo:
    """A running demo: its address, its people, and kubectl for its cluster."""

    url: str
    passwords: dict[str, str]
    kubectl_options: tuple[str, ...]
    state: Path

    def kubectl(self, *arguments: str, manifest: str | None = None) -> str:
        """What kubectl prints; `manifest` is its standard input."""
        program = str(Path(sys.executable).with_name("kubectl"))
        return subprocess.run(
            [program, *self.kubectl_options, *arguments],
            input=manifest,
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        ).stdout.strip()

    def hard(self, tenant: str, name: str) -> str:
        """One entry of `spec.hard` of a tenant's quota, as the API server has it; empty while there
        is no quota."""
        escaped = name.replace(".", r"\.")
        return self.kubectl(
            *("get", "resourcequota", "headroom", "-n", tenant, "--ignore-not-found"),
            *("-o", f"jsonpath={{.spec.hard.{escaped}}}"),
        )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Browser tests of two copies take turns: each has a whole platform running, and beside another
    one a page takes so long that what people do within a second is no longer done within it."""
    path = Path(tempfile.gettempdir(), f"headroom-e2e-{os.getuid()}.lock")
    lock = path.open("w")
    session.config.add_cleanup(lock.close)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write("Waiting for the browser tests of another copy on this machine.\n")
        fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`make demo` in a directory of its own, on a port of its own."""
    home, port = tmp_path_factory.mktemp("demo"), any_free()
    state, log = home / "state", home / "up.log"
    env = {**os.environ, "DEMO_STATE_DIR": str(state), "DEMO_PORT": str(port)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.demo", "up"],
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, log)
        people = json.loads((state / "credentials.json").read_text(encoding="utf-8"))
        yield Demo(
            url=f"http://127.0.0.1:{port}",
            passwords={entry["username"]: entry["password"] for entry in people},
            kubectl_options=_kubectl_options(log.read_text(encoding="utf-8")),
            state=state,
        )
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        _keep_logs(state)


@pytest.fixture(scope="session")
def waiting_workflow(demo: Demo) -> str:
    """The search for a Workflow that waits for as long as the tests run: two want the one licence
    of their tenant and keep it. What the demo starts waits for seconds, and not at every moment.
    """
    tenant = "initech"
    for _ in range(2):
        manifest = workflow(tenant, "licensed")
        (solve,) = (each for each in manifest["spec"]["templates"] if each["name"] == "solve")
        solve["metadata"]["annotations"]["headroom.dev/runs-for"] = f"{LICENCE_SECONDS}s"
        demo.kubectl("create", "-n", tenant, "-f", "-", manifest=json.dumps(manifest))
    return f"engine:argo status:waiting tenant:{tenant}"


def _keep_logs(state: Path) -> None:
    """The parts' logs outlive the run: what went wrong is read there."""
    if (state / "logs").is_dir():
        shutil.copytree(state / "logs", SCREENSHOTS / "logs", dirs_exist_ok=True)


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8")
        if "\nReady in" in text and re.search(r"^\s*seed\s+done", text, re.M):
            return
        if process.poll() is not None:
            pytest.fail(f"The demo ended with {process.returncode}:\n{text[-3000:]}")
        time.sleep(0.5)  # clock: between looks
    pytest.fail(f"The demo was not ready in {START_SECONDS} s:\n{log.read_text()[-3000:]}")


def _kubectl_options(summary: str) -> tuple[str, ...]:
    """The options of the command that the summary prints."""
    match = re.search(r"kubectl (--kubeconfig \S+(?: --context \S+)?) get", summary)
    assert match, summary
    return tuple(match.group(1).split())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; the target e2e of the Makefile has found or installed it."""
    path = os.environ.get("CHROMIUM") or find()
    assert path, "No Chromium: run this through make e2e"
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
    expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def sessions() -> dict[str, StorageState]:
    """The cookies of people who have signed in during this run."""
    return {}


@pytest.fixture
def open_page(
    browser: Browser, demo: Demo, sessions: dict[str, StorageState]
) -> Iterator[OpenPage]:
    """Opens a signed-in page: `open_page("admin", width=1440, dark=False, scripts=True)`.

    Every request must go to the demo itself, and nothing may be written to the error console.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def opened(
        user: str = "admin",
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
    ) -> Page:
        context = browser.new_context(
            base_url=demo.url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
            storage_state=sessions.get(user),
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)  # a whole page as a picture, on a busy machine
        page.on("request", lambda request: _same_host(request.url, demo.url, problems))
        page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        if user in sessions:
            page.goto("/")
        elif user:
            sign_in(page, user, demo.passwords[user])
            sessions[user] = context.storage_state()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def _same_host(url: str, home: str, problems: list[str]) -> None:
    if urlsplit(url).netloc != urlsplit(home).netloc and not url.startswith("data:"):
        problems.append(f"a request left the machine: {url}")


def sign_in(page: Page, user: str, password: str) -> None:
    """Through the form, as people do."""
    page.goto("/access/sign-in/")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")  # exactly: the form's own address ends in a slash, too
