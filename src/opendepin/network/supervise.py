"""`python -m opendepin.network.supervise --home DIR` runs all services of a home."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from opendepin.network.genesis import prepare
from opendepin.network.home import Home
from opendepin.network.supervisor import Supervisor
from opendepin.runtime import settings
from opendepin.runtime.service import run


def main(arguments: list[str]) -> int:
    """Run the supervisor until it is stopped; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opendepin.network.supervise")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(arguments).home.resolve())
    return run(lambda stop: Supervisor(home, settings.load(home.settings), prepare).run(stop))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
