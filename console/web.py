"""The web server: `python -m console.web [options of granian]`, closed to others of the same user.

granian's own process has the environment too, secrets and all, and imports nothing of ours that
could close it.
"""

from __future__ import annotations

import sys

from granian.cli import entrypoint

from console import linux


def main() -> None:
    """Serves `console.wsgi:application` until it is stopped."""
    linux.prepare_process()
    sys.argv[:] = ["granian", "--interface", "wsgi", *sys.argv[1:], "console.wsgi:application"]
    entrypoint()  # type: ignore[no-untyped-call]  # its package is typed, this is not


if __name__ == "__main__":
    main()
