"""Builds the `l1` service: the embedded engine behind its proxy."""

from __future__ import annotations

from pathlib import Path

from opendepin.chain.adapters.anvil import AnvilConfig, AnvilEngine
from opendepin.chain.adapters.copies import MAX_DUMP_BYTES
from opendepin.chain.adapters.l1 import EmbeddedL1
from opendepin.network.founding import found
from opendepin.network.home import Home
from opendepin.network.rooms import LAYER1
from opendepin.runtime import settings as runtime_settings
from opendepin.runtime.chance import SystemChance
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import client
from opendepin.runtime.service import Stop, ready
from opendepin.runtime.telemetry import open_log

CHECKOUT = Path(__file__).resolve().parents[4]


async def run(home: Home, service: str, stop: Stop) -> None:
    """Serve Layer 1 until the stop."""
    settings = runtime_settings.load(home.settings)
    founding = found(home, settings, SystemChance())
    log = open_log(service, home.log(service), settings.network.log_bytes)
    config = AnvilConfig(
        home=home.room(LAYER1),
        chain_id=founding.chain_id,
        alloc=founding.alloc,
        roots=(CHECKOUT, Path.cwd()),
        block_time_s=settings.network.block_time_s,
        finality_depth=settings.network.finality_depth,
    )
    port = int(home.addresses()[service].rpartition(":")[2])
    async with client(connections=64, most_bytes=MAX_DUMP_BYTES) as http:
        engine = AnvilEngine(config, http, SystemClock(), log)
        layer1 = EmbeddedL1(engine, http, log, port=port)
        await layer1.run(stop, lambda taken: ready(f"http://127.0.0.1:{taken}"))
