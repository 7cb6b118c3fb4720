"""A process that has imported what its children need and forks them at once: a start costs 50 ms
instead of 2 s of CPU.

Lines of JSON on stdin: `["spawn", module, out file, argument, …]` answers the pid, `["reap", pid]`
waits for its end and answers how it ended (negative: by that signal). Children die with the
nursery, and the nursery with the test process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from opendepin.runtime.child import die_with_parent
from opendepin.runtime.processes import bound

ROOT = Path(__file__).parents[3]


class Nursery:
    """The test's end of it."""

    def __init__(self, *preload: str) -> None:
        argv = [sys.executable, "-m", "tests.dims.availability.nursery", *preload]
        env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "OPENBLAS_NUM_THREADS": "1",
        }
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(bound(argv), stdin=pipe, stdout=pipe, env=env)

    def spawn(self, module: str, out: Path, *arguments: object) -> int:
        """Run a module's `entry()` in a new process; return its pid."""
        return int(self._ask(["spawn", module, str(out), *map(str, arguments)]))

    def reap(self, pid: int) -> int:
        """Wait for a child's end; return its exit code, negative for a signal."""
        return int(self._ask(["reap", pid]))

    def close(self) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.close()
        self._process.wait(20)
        stdout.close()

    def _ask(self, line: list[Any]) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(line).encode() + b"\n")
        stdin.flush()
        return stdout.readline().decode()


def child(parent: int, module: str, out: str, arguments: list[str]) -> None:
    """Become the child; does not return."""
    code = 1
    try:
        die_with_parent(parent)
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = [module, *arguments]
        code = import_module(module).entry()
    except Exception:  # noqa: BLE001 - a forked child must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    for module in sys.argv[1:]:
        import_module(module)
    parent = os.getpid()
    for line in sys.stdin:
        ask, *rest = json.loads(line)
        if ask == "spawn":
            module, out, *arguments = rest
            pid = os.fork()
            if pid == 0:
                child(parent, module, out, arguments)
            answer = pid
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(rest[0], 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
