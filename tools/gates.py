"""Run every gate and say which failed: lint, format, types, import rules, tidiness.

All gates run even when one fails, so that one look shows all there is to mend.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
GATES = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "imports": ["lint-imports", "--no-logo"],
    "types": ["pyright"],
    "tidy": ["python", "-m", "pytest", "-q", "tests/tidy"],
}


def main() -> int:
    """Run the gates named on the command line, or all; return the exit code."""
    wanted = sys.argv[1:] or list(GATES)
    failed: list[str] = []
    for name in wanted:
        begun = time.monotonic()
        print(f"== gate: {name}", flush=True)
        command, *rest = GATES[name]
        done = subprocess.run(
            [str(BIN / command), *rest], cwd=ROOT, env=_environment(), check=False
        )
        passed = done.returncode == 0
        print(f"== gate: {name} {'holds' if passed else 'FAILED'}", end="")
        print(f" ({time.monotonic() - begun:.1f} s)", flush=True)
        if not passed:
            failed.append(name)
    if failed:
        print(f"gates failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _environment() -> dict[str, str]:
    """Let lint-imports find the package, also where the checkout isn't installed."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


if __name__ == "__main__":
    sys.exit(main())
