"""`python -m deploy.emulators.kubernetes --port 6443 --data DIR --kubeconfig FILE`."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from deploy.emulators.kubernetes.server import Emulator


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="A small Kubernetes API for demos and tests")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, help="where objects and tokens are kept")
    parser.add_argument("--kubeconfig", type=Path, help="write the admin's kubeconfig here")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Emulator(port=options.port, data_dir=options.data) as emulator:
        if options.kubeconfig:
            emulator.kubeconfig(options.kubeconfig)
        sys.stdout.write(f"serving on {emulator.url}\n")
        sys.stdout.flush()
        ended.wait()


if __name__ == "__main__":
    main()
