"""Finds Chromium for the browser tests and prints its path; installs Debian's when it may."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ADVICE = (
    "The browser tests need Chromium, and none is on PATH. "
    "On Debian: sudo apt-get install chromium; then run make e2e again."
)


def find() -> str | None:
    """The path of a Chromium: CHROMIUM if it names one, else from PATH."""
    return shutil.which(os.environ.get("CHROMIUM") or "") or next(
        (path for name in NAMES if (path := shutil.which(name))), None
    )


def install() -> None:
    """Debian's package; its output goes to stderr, for stdout is the answer. One at a time: of two
    that start together apt-get would refuse the second."""
    with Path(tempfile.gettempdir(), "headroom-browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not find():
            _install()


def _install() -> None:
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "-q", *command], check=True, stdout=sys.stderr)


def main() -> int:
    """Print the path; 1 with advice on stderr if there is none."""
    if not find() and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stderr.write("No Chromium on PATH: installing Debian's\n")
        try:
            install()
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"apt-get failed: {error}\n")
    path = find()
    if path is None:
        sys.stderr.write(ADVICE + "\n")
        return 1
    sys.stdout.write(path + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
