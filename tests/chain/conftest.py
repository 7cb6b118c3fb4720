"""A real anvil behind the real proxy: one for the session, new ones for tests that kill it."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
from opendepin.core.keys import Key
from opendepin.core.units import WEI_PER_TOKEN
from opendepin.runtime import http, telemetry
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.service import Stop

QUIET = telemetry.log("test", io.StringIO())
ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = Path(__file__).parent / "contracts"
CACHE = ROOT / ".build" / "contracts"
FUNDED = [Key.from_seed(b"chain test %d" % number) for number in range(20)]
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
    stop: Stop
    task: asyncio.Task[None]

    async def close(self) -> None:
        self.stop.set()
        await self.task
        await self.http.aclose()

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

    async def blocks(self, number: int) -> None:
        """Wait for this many more blocks."""
        due = await self.client.block_number() + number
        while await self.client.block_number() < due:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def spare_key() -> Key:
    """A funded key that no other test uses (the last ones are the tests' own)."""
    return FUNDED[next(_spare) % 10]


async def start_node(
    home: Path, *, port: int = 0, chain_id: int = 7_700_077, **config: Any
) -> Node:
    alloc = {key.address: 1_000_000 * WEI_PER_TOKEN for key in FUNDED}
    client = http.client(connections=64)
    clock, log = SystemClock(), telemetry.log("l1", io.StringIO())
    engine = AnvilEngine(
        AnvilConfig(home, chain_id, alloc, roots=(ROOT,), **config), client, clock, log
    )
    service, stop, ready = EmbeddedL1(engine, client, log, port=port), Stop(), asyncio.Event()
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
        task.result()
    url = f"http://127.0.0.1:{ports[0]}"
    rpc = Rpc(url, client, clock)
    return Node(service, engine, url, rpc, ChainClient(rpc), client, stop, task)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    found = await start_node(tmp_path_factory.mktemp("l1"))
    yield found
    await found.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def register() -> Artifact:
    """A small contract with a map, a struct, events and reasons."""
    return (await ensure([str(CONTRACTS / "Register.vy")], CACHE))["Register"]
