"""Loopback ports: is it taken, which is free."""

import os
import random
import socket
from collections.abc import Container
from typing import Final

_promised: Final[dict[int, int]] = {}
"""File descriptors that hold the last ports given away; a server listens on older ones by now."""
_MOST_PROMISED: Final = 64


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that linger in TIME_WAIT do not make a port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True


def any_free() -> int:
    """Some free port, below those that the system gives to outgoing connections.

    So it is still free when a server that was stopped comes back to it. No other process that asks
    here is given the same one, although nobody may listen on it for a while yet.
    """
    for port in random.SystemRandom().sample(range(20000, 32700), 1000):
        if port not in _promised and is_free(port) and promise(port):
            return port
    message = "no free port between 20000 and 32700"
    raise OSError(message)


def promise(port: int) -> bool:
    """Keep other processes that ask here from `port`; False: another one has it promised.

    Takes the UDP port of the same number, which nothing here listens on: only one process can, and
    it is given back when the process ends, however it does.
    """
    if port in _promised:
        return True
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        return False
    if len(_promised) == _MOST_PROMISED:
        os.close(_promised.pop(next(iter(_promised))))
    _promised[port] = held.detach()
    return True


def next_free(base: int, taken: Container[int] = ()) -> int:
    """The first free port from `base` on that is not in `taken`; promised, as by `any_free`."""
    for port in range(base, min(base + 2000, 65536)):
        if port not in taken and is_free(port) and promise(port):
            return port
    message = f"no free port between {base} and {base + 2000}"
    raise OSError(message)
