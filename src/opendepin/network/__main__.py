"""`python -m opendepin.network SERVICE --home DIR` runs one service until it is stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from opendepin.network.home import Home
from opendepin.network.serve import serve
from opendepin.runtime.service import run


def main(arguments: list[str]) -> int:
    """Run one service; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opendepin.network")
    parser.add_argument("service", help="l1, gateway, store-N, sequencer, operator-N or explorer")
    parser.add_argument("--home", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    home = Home(chosen.home.resolve())
    return run(lambda stop: serve(home, chosen.service, stop))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
