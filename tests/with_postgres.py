"""Runs a command with DATABASE_URL naming a fresh PostgreSQL: `python -m tests.with_postgres …`."""

import os
import subprocess
import sys

from tests.postgres import postgres


def main(command: list[str]) -> int:
    """Run it; its exit code. Ctrl-C reaches the command too, which ends by itself."""
    if not command:
        sys.stderr.write("usage: python -m tests.with_postgres COMMAND …\n")
        return 2
    with postgres() as server:
        environment = {**os.environ, "DATABASE_URL": server.url}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
