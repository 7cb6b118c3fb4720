"""The first code of every child process: die with the parent, then become the program.

`python -m opendepin.runtime.child PARENT_PID -- PROGRAM ARG…` asks the kernel for SIGKILL when the
parent ends, checks that the parent has not ended already, and execs. On systems without prctl the
program still runs; it then outlives a parent that is killed by SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): signal for when the parent ends. It is kept over exec."""


def die_with_parent(parent: int) -> None:
    """Arrange SIGKILL for when the parent ends; end at once if it has."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(137)


def main(arguments: list[str]) -> None:
    """Become the program named after `--`; does not return."""
    if len(arguments) < 3 or arguments[1] != "--":
        sys.stderr.write("usage: python -m opendepin.runtime.child PARENT_PID -- PROGRAM ARG...\n")
        sys.exit(2)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    die_with_parent(int(arguments[0]))
    program = arguments[2:]
    try:
        os.execvp(program[0], program)  # noqa: S606 - a list, no shell
    except OSError as error:
        sys.stderr.write(f"cannot run {program[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
