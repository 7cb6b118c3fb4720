"""The server under every service: uvicorn with limits on connections, heads and reading time.

In: an ASGI app, host and port. Out: a server that runs until its stop. A peer that sends slowly,
sends a huge head, or opens too many connections is cut off before it costs memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator

import uvicorn

from opendepin.runtime.asgi import ASGI
from opendepin.runtime.net import LOOPBACK, listen
from opendepin.runtime.protocol import Direct, LimitedProtocol, Limits
from opendepin.runtime.service import Stop

SWEEP_S = 1.0
"""How often slow connections are looked for."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to `runtime.service`."""
        yield


async def serve(
    app: ASGI,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    stop: Stop,
    limits: Limits | None = None,
    direct: Direct | None = None,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve an ASGI app until `stop`; `on_ready` is told the port once requests are taken.

    `direct` answers requests under its prefix before the app, at less cost.

    Raises:
        PortTaken: somebody listens there.
    """
    bounds = limits or Limits()
    sock = listen(host, port)
    protocol = type("Protocol", (LimitedProtocol,), {"limits": bounds, "direct": direct})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=bounds.idle_timeout_s,
        timeout_graceful_shutdown=bounds.stop_timeout_s,
    )
    server = _Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[sock]))
    sweeping = asyncio.ensure_future(_sweep(server, bounds))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn sets a flag
            await asyncio.sleep(0.005)
        if on_ready is not None and server.started:
            on_ready(int(sock.getsockname()[1]))
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await running
    finally:
        server.should_exit = True
        for task in (sweeping, stopping):
            task.cancel()
        await asyncio.gather(running, sweeping, stopping, return_exceptions=True)


async def _sweep(server: _Server, limits: Limits) -> None:
    """Close connections that read too slowly or idle too long; one task instead of a timer per
    request.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_S)
        now = loop.time()
        opened: list[object] = [*server.server_state.connections]
        for connection in opened:
            if not isinstance(connection, LimitedProtocol):
                continue
            if (connection.reading_since or now) < now - limits.read_timeout_s:
                connection.transport.abort()
            elif (connection.idle_since or now) < now - limits.idle_timeout_s:
                connection.transport.close()
