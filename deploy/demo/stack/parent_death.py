"""Runs a program that ends with its parent: `parent_death.py SIGNAL PARENT USER PROGRAM ARGS…`.

Linux sends SIGNAL to this process when its parent dies, and that survives `exec`, so a supervisor
that is killed with SIGKILL leaves nothing behind. A program of its own rather than a `preexec_fn`,
because running Python between fork and exec is unsafe in a process with threads (pytest, gRPC).
USER is a number; -1 keeps the user. (PostgreSQL refuses to run as root.)
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Ask for the signal, make sure that the parent still lives, become the program."""
    signal_number, parent, user, *argv = arguments
    if int(user) >= 0:
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))  # before the request below, which a change of user would undo
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != int(parent):  # it died before we asked: nobody is left to send the signal
        sys.exit(1)
    os.execv(argv[0], argv)  # noqa: S606 - what the caller asked for, and no shell


if __name__ == "__main__":
    main(sys.argv[1:])
