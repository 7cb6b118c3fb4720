"""Run the whole test suite but the long ones: what needs the machine alone, the browser, the rest.

The browser's tests have a process of their own, since its driver keeps an event loop running there.
The large part comes last, so that its closing line is the last one printed.
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
    """Run all parts, whatever fails; return the first code that isn't zero."""
    more = sys.argv[1:]
    serial = _pytest("-m", "serial and not soak", *more)
    if serial == NOTHING_COLLECTED:
        serial = 0
    browser = _pytest("-m", "browser and not serial and not soak", *more)
    if browser == NOTHING_COLLECTED:
        browser = 0
    spread = ["-n", str(WORKERS), "--dist", "loadfile"]
    large = "not serial and not soak and not browser"
    rest = _pytest("-m", large, *spread, "--durations", "15", *more)
    for name, code in (("serial", serial), ("browser", browser)):
        if code:
            print(f"the {name} tests failed: see above", file=sys.stderr)
    return serial or browser or rest


def _pytest(*arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", "--ignore=tests/tidy", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
