"""What a sandboxed run may use at most."""

from __future__ import annotations

import msgspec

MAX_ARGUMENT_BYTES = 4 << 20
"""Longest argument of a run, as JSON."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run may use; whatever exceeds one is ended and named."""

    cpu_s: int = 10
    """Processor seconds."""
    wall_s: float = 30.0
    """Seconds until it is ended, whatever it does."""
    memory_bytes: int = 1 << 30
    """Address space, the interpreter included."""
    scratch_bytes: int = 16 << 20
    """What the scratch folder holds in all; also the largest file."""
    scratch_files: int = 256
    open_files: int = 64
    result_bytes: int = 32 << 20
    """Longest answer, as JSON."""
    printed_bytes: int = 64 << 10
    """Most that is printed to stdout and stderr together."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is told, over its stdin."""

    module: str
    """Module of ours that holds the function."""
    function: str
    argument: object
    folder: str
    """The project's folder: the working directory, read-only."""
    readable: list[str]
    """What else may be read: the Python installation."""
    libraries: list[str]
    """Folders of shared libraries, and the links that lead to them."""
    scratch: str
    """An empty folder; the walls lay the new root over it."""
    walled: bool
    """False: only limits and watch, no walls (the weaker mode that has to be asked for)."""
    watched: bool = True
    """False: only the walls, so that tests see them hold alone."""
    limits: Limits
