"""What the command line asks of a network as a whole: start, stop, state, logs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx

from opendepin.network.errors import NotRunning, StartFailed
from opendepin.network.home import Home
from opendepin.network.labels import labels
from opendepin.runtime import settings
from opendepin.runtime.clock import pause
from opendepin.runtime.disk import lock_holder, older
from opendepin.runtime.http import MAX_STATUS_BYTES, at_most, json_of, plain_client
from opendepin.runtime.processes import alive, detach, signal_pid

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 60.0
POLL_S = 0.2
STATUS_TIMEOUT_S = 2.0
ASKED = ("counts", "latency_ms", "lanes_stopped", "set_aside", "trouble")
"""What is shown of a service's own status."""


def holder(home: Home) -> int | None:
    """Return the pid of the supervisor that runs in this home, or None."""
    lock = home.run / "lock"
    return lock_holder(lock) if lock.exists() else None


def up(home: Home, progress: Callable[[str], None]) -> dict[str, Any]:
    """Start a detached supervisor when none runs; wait until every service serves.

    Raises:
        StartFailed: it ended, or was not ready in time; the text names the log.
        SettingsRejected: `network.toml` holds something that is not allowed.
    """
    settings.write_default(home.settings)
    settings.load(home.settings)
    if holder(home) is None:
        home.state_file.unlink(missing_ok=True)
        log = home.root / "logs" / "supervisor.out"
        log.unlink(missing_ok=True)  # what an earlier start said is no reason of this one
        command = [sys.executable, "-m", "opendepin.network.supervise"]
        pid = detach([*command, "--home", str(home.root)], log)
        progress(f"starting in {home.root}")
    else:
        pid = holder(home) or 0
        progress(f"a network already runs in {home.root} (process {pid})")
    wait_ready(home, pid, progress)
    return {"home": str(home.root), "addresses": home.addresses(), "pid": pid}


def wait_ready(home: Home, pid: int, progress: Callable[[str], None]) -> None:
    """Wait until the supervisor says that every service serves.

    Raises:
        StartFailed: see `up`.
    """
    seen: set[str] = set()
    for _ in range(int(START_TIMEOUT_S / POLL_S)):
        state = state_of(home)
        for name, row in state.get("services", {}).items():
            if row["state"] == "ready" and name not in seen:
                seen.add(name)
                progress(f"  ✓ {name}")
        if state.get("phase") == "ready":
            for name, said in state.get("left_out", {}).items():
                progress(f"  ! {name} does not come up, the network goes on without it: {said}")
            return
        if not alive(pid):
            break
        pause(POLL_S)
    out = home.root / "logs" / "supervisor.out"
    tail = out.read_text(errors="replace").strip().splitlines()[-3:] if out.exists() else []
    raise StartFailed(f"the network did not start: {' | '.join(tail) or 'see'} ({out})")


def down(home: Home) -> bool:
    """Stop the supervisor and with it every service; False when none ran.

    Raises:
        StartFailed: it did not end in time.
    """
    pid = holder(home)
    if pid is None:
        return False
    signal_pid(pid)
    for _ in range(int(STOP_TIMEOUT_S / POLL_S)):
        if not alive(pid):
            return True
        pause(POLL_S)
    raise StartFailed(f"process {pid} did not stop in {STOP_TIMEOUT_S:.0f} s; see its log")


def status(home: Home) -> dict[str, Any]:
    """Return every service's state and counts.

    Raises:
        NotRunning: no network runs here.
    """
    if holder(home) is None:
        raise NotRunning(f"no network runs in {home.root}: start it with `depin up`")
    state, addresses = state_of(home), home.addresses()
    with plain_client(STATUS_TIMEOUT_S) as http:
        rows = {
            name: row | {"address": addresses.get(name)} | _ask(http, addresses.get(name))
            for name, row in state.get("services", {}).items()
        }
    chosen = settings.load(home.settings)
    return {
        "network": chosen.network.name,
        "home": str(home.root),
        "phase": state.get("phase"),
        "services": rows,
        "labels": labels(chosen),
    }


def _ask(http: httpx.Client, address: str | None) -> dict[str, Any]:
    if address is None:
        return {}
    try:
        answer = http.get(address + "/v1/status", extensions=at_most(MAX_STATUS_BYTES))
        found: dict[str, Any] = json_of(answer) if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        return {}
    return {key: found[key] for key in ASKED if key in found}


def state_of(home: Home) -> dict[str, Any]:
    """Return what the supervisor last wrote of itself; empty when nothing."""
    try:
        return json.loads(home.state_file.read_text())
    except (FileNotFoundError, ValueError):
        return {}


@dataclass(frozen=True)
class Trace:
    """What one id touches: every log line of its way, from the message to the L1 transaction."""

    traces: frozenset[str]
    """Message id, batch number, task id, as lines carry them under `trace`."""
    intents: tuple[str, ...] = ()
    """Beginnings of the outbox's intent keys, e.g. `batch/7/`."""

    def holds(self, line: Mapping[str, Any]) -> bool:
        """Say whether a line belongs to it."""
        intent = str(line.get("intent", line.get("key", "")))
        return str(line.get("trace")) in self.traces or intent.startswith(self.intents or ("\0",))


def trace_of(identifier: str, message: Mapping[str, Any] | None) -> Trace:
    """Return the trace of an id; a message's row tells its batch and task."""
    found, intents = {identifier}, list[str]()
    if message is not None:
        batch, segment, task = (message.get(name) for name in ("batch", "segment", "task"))
        if batch is not None:
            found.add(str(batch))
            intents += [f"batch/{batch}/", f"open/{batch}/{segment}/"]
        if task is not None:
            found.add(str(task))
            bare = str(task).removeprefix("0x")
            kinds = ("assign", "reopen", "decline", "settle", "claim")
            intents += [f"{kind}/{bare}/" for kind in kinds]
    return Trace(frozenset(found), tuple(intents))


def tail(
    files: Sequence[Path], lines: int, *, follow: bool, trace: Trace | None
) -> Iterator[dict[str, Any]]:
    """Yield the last log rows of several files by time, then new ones as they come; what a file
    held before it was begun anew counts.
    """
    offsets: dict[Path, int] = {}
    rows: list[dict[str, Any]] = []
    for path in files:
        if older(path).exists():
            rows += _rows(older(path).read_bytes(), trace)
        text = path.read_bytes()
        offsets[path] = text.rfind(b"\n") + 1
        rows += _rows(text[: offsets[path]], trace)
    yield from sorted(rows, key=lambda row: str(row.get("time")))[-lines:]
    while follow:
        pause(POLL_S)
        for path, offset in offsets.items():
            if path.stat().st_size < offset:  # begun anew: the rest of the full one comes first
                yield from _rows(_after(older(path), offset), trace)
                offset = 0
            fresh = _after(path, offset)
            end = fresh.rfind(b"\n") + 1
            offsets[path] = offset + end
            yield from _rows(fresh[:end], trace)


def _after(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read()


def _rows(text: bytes, trace: Trace | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            line = cast(dict[str, Any], row)
            if trace is None or trace.holds(line):
                found.append(line)
    return found
