"""Where `depin` begins: a Ctrl-C while the program is still loaded ends it without a traceback."""

# ruff: noqa: E402 - the handler must stand before what takes a second to load

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)

from opendepin.cli.app import main as _run


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _run()
