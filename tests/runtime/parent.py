"""A parent for tests: starts a child that starts a child, prints their pids, and waits to be
killed.
"""

from __future__ import annotations

import asyncio
import sys

from opendepin.runtime.processes import spawn

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


async def main(depth: int) -> None:
    argv = SLEEP if depth == 0 else [sys.executable, "-m", "tests.runtime.parent", str(depth - 1)]
    child = await spawn("child", argv, pipes=True)
    print(child.pid, flush=True)
    if depth:
        print((await child.read_line()).decode(), flush=True)
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
