"""The `l1` service: the embedded engine, its keeper, and the proxy everybody talks to, in one
process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from opendepin.chain.adapters.anvil import AnvilEngine
from opendepin.chain.adapters.proxy import Proxy
from opendepin.runtime.http import Limits, serve
from opendepin.runtime.net import LOOPBACK
from opendepin.runtime.posting import Poster
from opendepin.runtime.service import Stop

LIMITS = Limits(max_connections=512, read_timeout_s=15.0)


class EmbeddedL1:
    """Runs an `AnvilEngine` behind a `Proxy` until the stop."""

    def __init__(self, engine: AnvilEngine, http: Poster, log: Any, *, port: int = 0) -> None:
        self.engine = engine
        self._proxy = Proxy(engine, http, log)
        self._port = port

    async def run(self, stop: Stop, on_ready: Callable[[int], None]) -> None:
        """Start the engine, serve the proxy on loopback, tell its port, and go on until the stop.

        Raises:
            EngineMissing, EngineFailed: the engine cannot be started, now or after a death.
        """
        await self.engine.start()
        serving = asyncio.ensure_future(
            serve(
                self._proxy.router(),
                LOOPBACK,
                self._port,
                stop=stop,
                limits=LIMITS,
                on_ready=on_ready,
            )
        )
        keeping = asyncio.ensure_future(self.engine.run(stop))
        try:
            await asyncio.wait({serving, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            done = await asyncio.gather(serving, keeping, return_exceptions=True)
            await self.engine.stop()
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
