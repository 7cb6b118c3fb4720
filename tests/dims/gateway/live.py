"""A live gateway process in a folder, and its client."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from opendepin.core.identity import KeyChange
from opendepin.dims.gateway.client import GatewayClient
from opendepin.runtime.http import client
from opendepin.runtime.processes import Child, spawn
from tests.dims.gateway.node import Node
from tests.dims.gateway.world import GATEWAY, NETWORK, OTHER_PROJECT, PROJECT, SCHEMA, registry

ROOT = Path(__file__).resolve().parents[3]


class Live:
    """One gateway process at a time over one folder."""

    def __init__(self, home: Path, changes: list[KeyChange] | None = None, **config: Any) -> None:
        rows = list(registry().states.values()) if changes is None else changes
        schemas = {PROJECT: SCHEMA, OTHER_PROJECT: SCHEMA}
        node = Node(home, NETWORK, GATEWAY.secret, schemas, rows, config=config)
        self.file = node.write(home / "node.json")
        self.child: Child | None = None
        self.port = 0

    async def start(self) -> None:
        argv = [sys.executable, "-m", "tests.dims.gateway.node", str(self.file)]
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        self.child = await spawn("gateway", argv, env=env, cwd=ROOT, pipes=True)
        word, port = (await asyncio.wait_for(self.child.read_line(), 60)).decode().split()
        assert word == "READY"
        self.port = int(port)

    async def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        assert await self.child.wait() == -signal.SIGKILL

    async def stop(self) -> None:
        assert self.child is not None
        assert await self.child.stop() == 0, list(self.child.stderr_tail)


@asynccontextmanager
async def gateway_client(port: int, connections: int = 8) -> AsyncIterator[GatewayClient]:
    async with client(f"http://127.0.0.1:{port}", connections=connections) as http:
        yield GatewayClient(http, NETWORK, GATEWAY.address)
