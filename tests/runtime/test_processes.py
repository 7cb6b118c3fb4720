"""Children die with their parent, are stopped by pid, and come back under supervision."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opendepin.runtime.errors import ChildFailed
from opendepin.runtime.processes import Backoff, Supervised, alive, run_once, spawn
from opendepin.runtime.service import Stop

ROOT = Path(__file__).resolve().parents[2]
ENV = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
ECHO = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
DEAF = """import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)"""


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to hold within 20 s")


async def until_dead(pid: int) -> None:
    await until(lambda: not alive(pid))


async def test_children_and_grandchildren_die_with_a_parent_killed_by_sigkill() -> None:
    argv = [sys.executable, "-m", "tests.runtime.parent", "1"]
    parent = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, **ENV}
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    grandchild = int(await parent.stdout.readline())
    assert alive(child)
    assert alive(grandchild)
    parent.kill()
    await parent.wait()
    await until_dead(child)
    await until_dead(grandchild)


async def test_speaks_over_pipes_and_ends_on_stop() -> None:
    child = await spawn("echo", python(ECHO), pipes=True)
    await child.write(b"abc\n")
    assert await child.read_line() == b"cba"
    assert await child.stop() == -signal.SIGTERM
    with pytest.raises(ChildFailed, match="ended its output"):
        await child.read_line()
    assert not alive(child.pid)


async def test_a_child_deaf_to_sigterm_is_killed() -> None:
    child = await spawn("deaf", python(DEAF), pipes=True)
    assert await child.read_line() == b"up"
    assert await child.stop(timeout_s=0.2) == -signal.SIGKILL


async def test_the_error_of_a_dying_child_holds_its_last_words() -> None:
    child = await spawn("dying", python("raise SystemExit('no such engine')"), pipes=True)
    assert await child.wait() == 1
    with pytest.raises(ChildFailed, match="no such engine"):
        await child.read_exactly(4)


async def test_a_program_that_does_not_exist_says_so() -> None:
    child = await spawn("missing", ["/no/such/program"])
    assert await child.wait() == 127
    assert "cannot run /no/such/program" in " ".join(child.stderr_tail)
    with pytest.raises(ChildFailed, match="did not run"):
        run_once(["/no/such/program"])


async def test_output_goes_to_the_log_file(tmp_path: Path) -> None:
    child = await spawn("talk", python("print('said')"), log_file=tmp_path / "logs" / "talk.log")
    assert await child.wait() == 0
    assert (tmp_path / "logs" / "talk.log").read_text() == "said\n"


async def test_children_are_not_made_on_other_threads() -> None:
    loop = asyncio.get_running_loop()

    def elsewhere() -> None:
        asyncio.run(spawn("late", python("")))

    with pytest.raises(ChildFailed, match="main thread"):
        await loop.run_in_executor(None, elsewhere)


async def test_supervision_starts_again_and_waits_longer_each_time() -> None:
    events: list[tuple[str, int]] = []

    async def ready() -> bool:
        return True

    kept = Supervised(
        "crashing",
        python("raise SystemExit(3)"),
        ready,
        backoff=Backoff(first_s=0.01, factor=2, most_s=0.05),
        on_event=lambda name, fields: events.append((name, fields.get("code", 0))),
    )
    stop = Stop()
    running = asyncio.ensure_future(kept.run(stop))
    await until(lambda: kept.restarts >= 3)
    stop.set()
    await running
    assert ("ended", 3) in events
    assert kept.state == "stopped"
    assert [Backoff(0.1, 2, 1).delay(n) for n in range(6)] == [0.1, 0.2, 0.4, 0.8, 1, 1]


async def test_supervision_brings_a_killed_child_back_and_stops_it() -> None:
    async def ready() -> bool:
        return kept.child is not None and alive(kept.child.pid)

    kept = Supervised("lasting", python("import time; time.sleep(600)"), ready)
    stop = Stop()
    running = asyncio.ensure_future(kept.run(stop))
    await asyncio.wait_for(kept.is_ready.wait(), 10)
    assert kept.child is not None
    first = kept.child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: kept.restarts > 0)
    await asyncio.wait_for(kept.is_ready.wait(), 10)
    second = kept.child.pid
    assert second != first
    stop.set()
    await running
    assert not alive(first)
    assert not alive(second)


async def test_a_child_that_never_gets_ready_is_killed() -> None:
    events: list[str] = []

    async def never() -> bool:
        return False

    kept = Supervised(
        "slow",
        python("import time; time.sleep(600)"),
        never,
        ready_timeout_s=0.1,
        on_event=lambda name, _: events.append(name),
    )
    stop = Stop()
    running = asyncio.ensure_future(kept.run(stop))
    await until(lambda: "ended" in events)
    stop.set()
    await running
    assert events[:3] == ["started", "not-ready", "ended"]
