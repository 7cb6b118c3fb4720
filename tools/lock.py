"""Resolve `requirements/*.in` and `package.json` into the lock files, with hashes.

The lock files name no registry host: whoever installs asks the registry that their own client
is set up with. Needs uv and npm, so run `make setup` before.
"""

from __future__ import annotations

import subprocess
import sys

from setup_steps import LOCKS, ROOT, UV, SetupError, find_npm

RESOLVE = [
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-header", "--no-annotate"),
    *("--no-emit-index-url", "--no-emit-find-links"),
]


def main() -> int:
    """Write every lock file; return the exit code. `--upgrade` takes newer versions."""
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    try:
        # The development set first: the product's set must be a part of it.
        _resolve("dev.in", "requirements-dev.lock", *upgrade)
        _resolve("main.in", "requirements.lock", "-c", str(LOCKS / "requirements-dev.lock"))
        _resolve("bootstrap.in", "bootstrap.lock", *upgrade)
        # npm leaves other platforms out of a lock that it mends beside an installed tree.
        (ROOT / "package-lock.json").unlink(missing_ok=True)
        npm, _ = find_npm()
        _run([npm, "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"])
    except SetupError as error:
        print(f"lock: {error}", file=sys.stderr)
        return 1
    return 0


def _resolve(source: str, target: str, *more: str) -> None:
    _run([str(UV), *RESOLVE, *more, str(LOCKS / source), "-o", str(LOCKS / target)])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, cwd=ROOT, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"{command[0]} failed: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
