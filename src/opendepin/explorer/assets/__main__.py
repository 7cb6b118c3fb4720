"""`python -m opendepin.explorer.assets build [--into DIR]`: build the page's assets from the
installed packages.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from opendepin.core.errors import DepinError
from opendepin.explorer.assets.build import build, default_folder

ROOT = Path(__file__).resolve().parents[4]


def main() -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opendepin.explorer.assets")
    parser.add_argument("command", choices=["build"])
    parser.add_argument("--into", type=Path, default=default_folder(), help="folder to write")
    parser.add_argument("--packages", type=Path, default=ROOT / "node_modules", help="npm packages")
    wanted = parser.parse_args()
    try:
        build(wanted.packages, wanted.into)
    except DepinError as error:
        sys.stderr.write(f"assets: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
