"""A store as one process runs it: the service, its HTTP face, and the walk in search of rot.

In: the parts that the composition root chose. Out: a running store until the stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opendepin.core.keys import Key
from opendepin.dims.availability.config import StoreConfig
from opendepin.dims.availability.face import Face
from opendepin.dims.availability.ports import ChunkFiles, Code, Views
from opendepin.dims.availability.repair import Repair
from opendepin.dims.availability.retrieval import Retrieval
from opendepin.dims.availability.service import Store
from opendepin.runtime.clock import Clock
from opendepin.runtime.http import Limits, serve
from opendepin.runtime.net import LOOPBACK
from opendepin.runtime.service import Stop
from opendepin.runtime.stagelog import StageLog
from opendepin.runtime.telemetry import Counters


class StoreNode:
    """One store and all that runs beside it.

    Args:
        code: the erasure code; all stores of a network use the same.
        chunks: where chunks are kept; this store's alone.
        log: the store's own stage log; one record a batch, numbered as the batch.
        snapshot: file of the coverage's snapshot.
        views: the registry, the projects' rules, the engine of field roots.
        others: reads chunks from all stores of the network, to mend what rotted here.
        events: a logger as `runtime.telemetry.log` gives.
    """

    def __init__(
        self,
        config: StoreConfig,
        key: Key,
        *,
        code: Code,
        chunks: ChunkFiles,
        log: StageLog,
        snapshot: Path,
        views: Views,
        others: Retrieval,
        clock: Clock,
        counters: Counters,
        events: Any,
    ) -> None:
        parts = (config, key, code, chunks, log, snapshot, views, clock, counters, events)
        self.store = Store(*parts)
        self.repair = Repair(self.store, code, chunks, others, config, counters, events)

        def on_error(path: str, error: BaseException) -> None:
            counters.add("failed")
            events.error("request failed", path=path, error=repr(error))

        lost = self.repair.lost
        self.face = Face(self.store, code, config.network_id, counters, lost, on_error)

    async def run(
        self,
        stop: Stop,
        port: int,
        *,
        host: str = LOOPBACK,
        limits: Limits | None = None,
        on_ready: Callable[[int], None] | None = None,
    ) -> None:
        """Serve until the stop; `on_ready` is told the port."""
        repairing = asyncio.create_task(self.repair.run(stop))
        try:
            app = self.face.app
            await serve(app, host, port, stop=stop, limits=limits, on_ready=on_ready)
        finally:
            repairing.cancel()
            await asyncio.gather(repairing, return_exceptions=True)
