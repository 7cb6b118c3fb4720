"""A real anvil behind the real proxy: one for the session, new ones for tests that kill it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from opendepin.chain.adapters.anvil import AnvilConfig, AnvilEngine
from opendepin.chain.adapters.l1 import EmbeddedL1
from opendepin.chain.artifacts import Artifact, ensure
from opendepin.chain.client import ChainClient
from opendepin.chain.jsonrpc import Rpc
from opendepin.chain.transactions import Transaction
from opendepin.core.errors import DepinError
from opendepin.core.keys import Key
from opendepin.core.units import WEI_PER_TOKEN
from opendepin.runtime import http, telemetry
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.posting import Poster
from opendepin.runtime.service import Stop

QUIET = telemetry.log("test", io.StringIO())
ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = Path(__file__).parent / "contracts"
CACHE = ROOT / ".build" / "contracts"
FUNDED = [Key.from_seed(b"chain test %d" % number) for number in range(20)]
CRASHERS = [Key.from_seed(b"crash %d" % number) for number in range(24)]
"""Accounts that one test alone uses, once each."""
_spare = itertools.count()


@dataclass
class Node:
    """A running embedded L1 and a client of its proxy."""

    service: EmbeddedL1
    engine: AnvilEngine
    url: str
    rpc: Rpc
    client: ChainClient
    http: httpx.AsyncClient
    posting: Poster
    stop: Stop
    task: asyncio.Task[None]
    helpers: list[asyncio.Task[None]] = field(default_factory=list)

    async def hurry(self) -> None:
        while True:
            with contextlib.suppress(DepinError):
                await self.cheat("evm_mine")
            await asyncio.sleep(0.2)

    async def close(self) -> None:
        for helper in self.helpers:
            helper.cancel()
        self.stop.set()
        await self.task
        await self.http.aclose()
        await self.posting.aclose()

    async def send(
        self, key: Key, to: bytes | None, data: bytes = b"", value: int = 0, gas: int = 3_000_000
    ) -> bytes:
        """Send one transaction without an outbox; return its hash."""
        nonce, fees = await self.client.nonce(key.address), await self.client.fees()
        made = Transaction(
            self.engine.config.chain_id,
            nonce,
            fees.tip,
            2 * fees.base_fee + fees.tip,
            gas,
            to,
            value,
            data,
        )
        return await self.client.send_raw(made.sign(key).raw)

    async def mined(self, transaction: bytes) -> Any:
        for _ in range(100):
            if (receipt := await self.client.receipt(transaction)) is not None:
                return receipt
            await asyncio.sleep(0.1)
        raise TimeoutError("not mined")

    async def deploy(self, artifact: Artifact, *arguments: object, value: int = 0) -> bytes:
        data = artifact.bytecode + artifact.interface.constructor_data(*arguments)
        receipt = await self.mined(await self.send(spare_key(), None, data, value))
        assert receipt.succeeded
        return receipt.contract

    def kill(self) -> None:
        """End the engine as a power cut would."""
        pid = self.engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    async def rollback(self) -> None:
        """Kill the engine and wait until it goes on from its newest copy."""
        restarts = self.engine.restarts
        self.kill()
        while self.engine.restarts == restarts or not self.engine.serving:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def finalize(self) -> None:
        """Take copies from now on, so that blocks become final."""

        async def keep() -> None:
            while True:
                with contextlib.suppress(DepinError):
                    await self.engine.keep()
                await asyncio.sleep(0.1)

        self.helpers.append(asyncio.ensure_future(keep()))

    async def cheat(self, method: str, *parameters: object) -> Any:
        """Call the engine's private port."""
        return await Rpc(self.engine.rpc_url, self.posting, SystemClock()).call(method, *parameters)

    async def blocks(self, number: int) -> None:
        """Wait for this many more blocks."""
        due = await self.client.block_number() + number
        while await self.client.block_number() < due:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def spare_key() -> Key:
    """A funded key that no other test uses (the last ones are the tests' own)."""
    return FUNDED[next(_spare) % 10]


async def start_node(home: Path, *, hurry: bool = True, **config: Any) -> Node:
    """Start a node; in a hurry it makes five blocks a second instead of one."""
    chain_id = config.pop("chain_id", 7_700_077)
    port = config.pop("port", 0)
    if hurry:
        config.setdefault("copy_interval_s", 0.2)
    alloc = {key.address: 1_000_000 * WEI_PER_TOKEN for key in (*FUNDED, *CRASHERS)}
    client, posting = http.client(connections=64), Poster(connections=64)
    clock, log = SystemClock(), telemetry.log("l1", io.StringIO())
    engine = AnvilEngine(
        AnvilConfig(home, chain_id, alloc, roots=(ROOT,), **config), posting, clock, log
    )
    service, stop, ready = EmbeddedL1(engine, posting, log, port=port), Stop(), asyncio.Event()
    ports: list[int] = []

    def on_ready(taken: int) -> None:
        ports.append(taken)
        ready.set()

    task = asyncio.ensure_future(service.run(stop, on_ready))
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        await client.aclose()
        await posting.aclose()
        task.result()
    url = f"http://127.0.0.1:{ports[0]}"
    rpc = Rpc(url, posting, clock)
    node = Node(service, engine, url, rpc, ChainClient(rpc), client, posting, stop, task)
    if hurry:
        node.helpers.append(asyncio.ensure_future(node.hurry()))
    return node


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    found = await start_node(tmp_path_factory.mktemp("l1"))
    yield found
    await found.close()


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(tmp_path: Path) -> AsyncIterator[Node]:
    """A node of one test's own that takes copies only when told, so that `rollback` goes far."""
    found = await start_node(tmp_path / "l1", copy_interval_s=10_000)
    yield found
    await found.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def register() -> Artifact:
    """A small contract with a map, a struct, events and reasons."""
    return (await ensure([str(CONTRACTS / "Register.vy")], CACHE))["Register"]
