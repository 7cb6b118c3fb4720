"""kill -9 of every process at random while stations report: nothing acknowledged is lost, nothing
is settled twice, the header chain is unbroken, money balances, the index equals a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from opendepin.core.encodings import to_hex
from opendepin.core.errors import DepinError
from opendepin.demo.accounts import read_accounts
from opendepin.demo.replay import Replay
from opendepin.explorer.adapters.sqlite import DIGEST_TABLES
from opendepin.network import control, fleet
from opendepin.network.builders.explorer import CONTRACTS, rebuilt_digest
from opendepin.network.parts import parts
from opendepin.network.trails import Api
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.processes import alive
from opendepin.runtime.service import Stop
from tests.e2e import networks
from tests.e2e.networks import Network, until

pytestmark = [pytest.mark.e2e, pytest.mark.serial, pytest.mark.timeout(900)]

ROUNDS = 20
PAUSE_S = 1.5
SEED = 20021201


class Reporting:
    """Stations that report in a thread of their own until they are told to stop."""

    def __init__(self, network: Network) -> None:
        self.replay = Replay(network.home, network.fleet, SystemClock())
        self._stop: Stop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    async def _run(self) -> None:
        self._stop = Stop()
        await self.replay.run(self._stop, 3.0)

    def end(self) -> dict[bytes, int]:
        """Stop and return message id → position of everything that was acknowledged."""
        assert self._stop is not None
        self._stop.set()
        self._thread.join(60)
        return dict(self.replay.tally.acknowledged)


def pids(network: Network) -> dict[str, int]:
    """Return service → pid, of those that run."""
    rows = control.state_of(network.home)["services"]
    return {name: row["pid"] for name, row in rows.items() if row["pid"]}


def all_ready(network: Network) -> bool:
    rows = control.state_of(network.home)["services"]
    return all(row["state"] == "ready" for row in rows.values())


def kill_children(pid: int) -> None:
    """Kill a process's children, e.g. the engine under the L1's proxy, then nothing else."""
    for line in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line), signal.SIGKILL)


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a network after the faults, everything acknowledged settled."""
    network = networks.start(tmp_path_factory.mktemp("faults"))
    reporting, chance = Reporting(network), random.Random(SEED)
    killed: Counter[str] = Counter()
    names = sorted(pids(network))
    rounds = [*names, "anvil", *chance.choices([*names, "anvil"], k=ROUNDS)][: ROUNDS + len(names)]
    for name in rounds[: max(ROUNDS, len(names) + 1)]:
        time.sleep(PAUSE_S * chance.random() + 0.5)
        victim = pids(network).get("l1" if name == "anvil" else name)
        if victim is None:
            until(lambda: all_ready(network), 120, "services to be back")
            victim = pids(network)["l1" if name == "anvil" else name]
        if name == "anvil":
            kill_children(victim)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        killed[name] += 1
    until(lambda: all_ready(network), 120, "services to be back")
    acknowledged = reporting.end()
    assert acknowledged, "stations reported nothing"
    api = Api(network.home)
    until(lambda: proven(api) >= len(acknowledged), 240, f"{len(acknowledged)} to be settled")
    yield network, acknowledged, killed
    control.down(network.home)


def proven(api: Api) -> int:
    try:
        return api.get("/stats")["proven"]["value"] or 0
    except DepinError:  # the explorer is on its way back
        return 0


def test_enough_was_killed(survived: Any) -> None:
    _, _, killed = survived
    assert sum(killed.values()) >= ROUNDS
    assert {"anvil", "l1", "gateway", "sequencer", "store-0", "operator-0", "explorer"} <= set(
        killed
    )


def test_nothing_acknowledged_is_lost_and_nothing_settles_twice(survived: Any) -> None:
    network, acknowledged, _ = survived
    api = Api(network.home)
    seen: Counter[str] = Counter()
    positions: dict[str, int] = {}
    for device in api.get("/devices", limit=200)["items"]:
        cursor = None
        while True:
            page = api.get(f"/devices/{device['device']}/readings", limit=500, cursor=cursor)
            for row in page["items"]:
                if row["stage"] == "settled":
                    seen[row["message_id"]] += 1
                    positions[row["message_id"]] = row["position"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    lost = [to_hex(m) for m in acknowledged if to_hex(m) not in seen]
    assert not lost
    assert set(seen.values()) == {1}
    assert all(positions[to_hex(m)] == place for m, place in acknowledged.items())
    tasks = settled_tasks(api)
    assert len({(t["batch"], t["segment"]) for t in tasks}) == len(tasks)
    assert sum(t["readings"]["value"] for t in tasks) == len(seen)


def settled_tasks(api: Api) -> list[dict[str, Any]]:
    """Return all settled tasks."""
    found, cursor = [], None
    while True:
        page = api.get("/tasks", state="settled", limit=500, cursor=cursor)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_the_header_chain_is_unbroken(survived: Any) -> None:
    network, _, _ = survived

    async def walk() -> None:
        built = await parts(network.home, "cli", ("BatchInbox",))
        try:
            inbox, stores = built.contract("BatchInbox"), built.stores()
            count = await built.chain.call(inbox.call("count", returns=int))
            parent = built.genesis.network_id
            for number in range(1, count + 1):
                call = inbox.call("header_hash", number, returns=bytes)
                kept = await built.chain.call(call)
                header = (await stores[number % 4].batch(number)).header
                assert (header.number, header.parent, header.hash()) == (number, parent, kept)
                parent = kept
            assert count
            assert await built.chain.call(inbox.call("head", returns=bytes)) == parent
        finally:
            await built.close()

    asyncio.run(walk())


def test_money_balances(survived: Any) -> None:
    network, _, _ = survived

    async def read() -> None:
        built = await parts(network.home, "cli", ("Escrow", "Burner", "Issuance", "Settlement"))
        try:
            accounts = await read_accounts(built, network.fleet.project)
        finally:
            await built.close()
        assert accounts.balanced, accounts.text()

    asyncio.run(read())


def differences(kept: Path, fresh: Path) -> str:
    """Say which rows two indexes do not share."""
    found: list[str] = []
    with sqlite3.connect(kept) as left, sqlite3.connect(fresh) as right:
        for table in DIGEST_TABLES:
            ask = f"SELECT * FROM {table}"
            a, b = set(map(repr, left.execute(ask))), set(map(repr, right.execute(ask)))
            found += [f"{table} only kept: {row[:300]}" for row in sorted(a - b)[:3]]
            found += [f"{table} only new: {row[:300]}" for row in sorted(b - a)[:3]]
    return "\n".join(found)


def test_the_index_equals_one_built_anew(survived: Any, tmp_path: Path) -> None:
    network, _, _ = survived

    async def both() -> tuple[bytes, bytes]:
        built = await parts(network.home, "cli", CONTRACTS)
        try:
            kept = network.home.root / "explorer" / "index.sqlite"
            return await rebuilt_digest(built, kept, tmp_path)
        finally:
            await built.close()

    kept, fresh = asyncio.run(both())
    assert kept == fresh, differences(tmp_path / "copy.sqlite", tmp_path / "new.sqlite")


def test_no_process_outlives_a_killed_supervisor(survived: Any) -> None:
    network, _, _ = survived
    children = list(pids(network).values())
    children += [
        int(child)
        for pid in children
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ]
    holder = control.holder(network.home)
    assert holder is not None
    os.kill(holder, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in children), 20, "orphans to end")
    assert json.loads(network.home.state_file.read_text())["phase"] == "ready"
    assert control.holder(network.home) is None


def test_a_rotten_store_is_left_out_and_the_others_serve(survived: Any) -> None:
    network, _, _ = survived
    log = max((network.home.root / "store-2" / "log").glob("*.log"), key=lambda f: f.stat().st_size)
    data = bytearray(log.read_bytes())
    data[len(data) // 3] ^= 1
    log.write_bytes(data)
    said: list[str] = []
    control.up(network.home, said.append)
    (left_out,) = [line for line in said if line.startswith("  !")]
    assert "store-2" in left_out
    assert "rot: record" in left_out
    api, name = Api(network.home), "late"
    asyncio.run(fleet.new(network.home, name, network.fleet.project))

    def sent() -> bool:
        with contextlib.suppress(DepinError):  # until the gateway knows the device
            return bool(asyncio.run(fleet.send(network.home, name, {None: 12_345}, None)))
        return False

    before = proven(api)
    until(sent, 60, "the gateway to take a reading")
    until(lambda: proven(api) > before, 120, "it to be settled with three stores")
