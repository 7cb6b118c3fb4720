"""The server under every service: uvicorn with limits on connections, heads and reading time.

In: an ASGI app, host and port. Out: a server that runs until its stop. A peer that sends slowly, sends a huge head,
or opens too many connections is cut off before it costs memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from opendepin.runtime.asgi import ASGI
from opendepin.runtime.net import LOOPBACK, listen
from opendepin.runtime.service import Stop

SWEEP_S = 1.0
"""How often slow connections are looked for."""


@dataclass(frozen=True)
class Limits:
    """What one peer, and all together, may take of a server."""

    max_connections: int = 1024
    max_head_bytes: int = 16_384
    """Longest request line and headers."""
    read_timeout_s: float = 10.0
    """A request must be whole within this many seconds of its first byte (or of the connection)."""
    idle_timeout_s: int = 75
    """A kept-alive connection without a request is closed after this."""
    stop_timeout_s: int = 10
    """Requests in flight get this long at a stop."""


BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: 119\r\n\r\n"
    b'{"type":"about:blank","status":503,"title":"Try later","code":"connections","detail":"too many connections are '
    b'open"}  '
)


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with our limits."""

    limits = Limits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.reading_since: float | None = self.loop.time()
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            transport.write(BUSY)
            transport.close()

    def on_message_begin(self) -> None:
        self.reading_since, self._head_bytes = self.loop.time(), 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        self.reading_since = None
        super().on_message_complete()

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.max_head_bytes:
            self.transport.abort()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]
        """Leave signals to `runtime.service`."""
        yield


async def serve(
    app: ASGI,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    stop: Stop,
    limits: Limits | None = None,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve an ASGI app until `stop`; `on_ready` is told the port once requests are taken.

    Raises:
        PortTaken: somebody listens there.
    """
    bounds = limits or Limits()
    sock = listen(host, port)
    protocol = type("Protocol", (_Protocol,), {"limits": bounds})
    config = uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType] - the same protocol, other names
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
        while not server.started and not running.done():
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
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_S)
        oldest = loop.time() - limits.read_timeout_s
        for connection in list(server.server_state.connections):
            since = getattr(connection, "reading_since", None)
            if since is not None and since < oldest:
                connection.transport.abort()
