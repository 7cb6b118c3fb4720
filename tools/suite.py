"""Run the whole test suite but the long ones: first what needs the machine alone, then the rest.

The serial part comes first, so that the closing line of the large part is the last one printed.
The tidy tests are left out, since they are a gate. Arguments go to pytest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
NOTHING_COLLECTED = 5


def main() -> int:
    """Run both parts, even when the first fails; return the first code that isn't zero."""
    more = sys.argv[1:]
    serial = _pytest("-m", "serial and not soak", *more)
    if serial == NOTHING_COLLECTED:
        serial = 0
    spread = ["-n", str(WORKERS), "--dist", "loadfile"]
    rest = _pytest("-m", "not serial and not soak", *spread, "--durations", "15", *more)
    if serial:
        print("the serial tests failed: see above", file=sys.stderr)
    return serial or rest


def _pytest(*arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", "--ignore=tests/tidy", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
