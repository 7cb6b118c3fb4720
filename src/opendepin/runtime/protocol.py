"""The HTTP protocol under our server: uvicorn's, with limits, and less work per request.

In: bytes of a connection. Out: calls of the ASGI app, or of a direct face where there is one. A
peer that sends slowly, sends a huge head, or opens too many connections costs little memory.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from opendepin.core.errors import Broken
from opendepin.runtime.asgi import Response


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
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n"
    b"retry-after: 1\r\nconnection: close\r\ncontent-length: 119\r\n\r\n"
    b'{"type":"about:blank","status":503,"title":"Try later","code":"connections",'
    b'"detail":"too many connections are open"}  '
)


class _Cycle(RequestResponseCycle):
    """uvicorn's request and answer, with head and body of a short answer in one write.

    Two writes are two packets and twice the time of a system call, a third of what a small request
    costs.
    """

    _head: bytes | None = None

    async def send(self, message: Any) -> None:
        """Send a part of the answer; see ASGI."""
        if self._head is None and message["type"] == "http.response.start":
            self._head = self._head_of(message)
            if self._head is not None:
                self.response_started = True
                return
        if self._head is None:
            await super().send(message)
            return
        if self.disconnected:
            return
        if self.flow.write_paused:
            await self.flow.drain()
        head, body, more = self._head, message.get("body", b""), message.get("more_body", False)
        self._head = b""
        self.expected_content_length -= len(body)
        if self.expected_content_length < 0 or (self.expected_content_length and not more):
            raise Broken("an answer's body has another length than its head says")
        self.transport.write(head + body if self.scope["method"] != "HEAD" else head)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _head_of(self, message: Any) -> bytes | None:
        """Return the head's bytes when the answer's length is known; None leaves it to uvicorn."""
        parts = [STATUS_LINE[message["status"]]]
        known = False
        for name, value in message.get("headers", ()):
            if name == b"content-length":
                self.expected_content_length, known = int(value), True
            elif name in _LEFT_TO_UVICORN or b"\n" in value or b"\r" in value:
                return None
            parts += (name, b": ", value, b"\r\n")
        if not known:
            return None
        self.waiting_for_100_continue = False
        parts.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        return b"".join(parts)


_LEFT_TO_UVICORN = frozenset((b"connection", b"transfer-encoding"))


class Direct(Protocol):
    """A face that answers POSTs under one path prefix without ASGI's cost per request.

    A scope, a task and five coroutine frames take 25 µs, as long as half a signature. The ASGI app
    must answer the same requests the same way: it gets them when they are pipelined, chunked or
    packed, or ask for 100-continue.
    """

    prefix: bytes
    """Start of the path."""
    max_body_bytes: int
    """Longer bodies are left to the ASGI app, which refuses them."""

    def __call__(self, reply: Reply, path: bytes, kind: bytes, body: bytes) -> None:
        """Answer by `reply.respond`, now or later."""
        ...


class Reply(Protocol):
    """Where a direct answer goes."""

    def respond(self, response: Response) -> None:
        """Send the answer; called once, on the loop's thread."""
        ...


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with our limits and less work per request."""

    limits = Limits()
    direct: Direct | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.reading_since: float | None = self.loop.time()
        """Loop time at which the request being read began; None while none is."""
        self.idle_since: float | None = None
        """Loop time of the last answer's end; None while a request is read or answered."""
        self._http: httptools.HttpRequestParser = cast(Any, self.parser)
        self._asgi: Any = cast(Any, self).app
        self._head_bytes = 0
        self._reading_direct = self._answering_direct = self._closing = False
        self._path = self._kind = self._body = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Keep a connection, or turn it away when too many are open."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            transport.write(BUSY)
            transport.close()

    def shutdown(self) -> None:
        """Close once what is being answered is answered."""
        if self._answering_direct:
            self._closing = True
        else:
            super().shutdown()

    # reading a request

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.reading_since, self.idle_since, self._head_bytes = self.loop.time(), None, 0
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        self._grow(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._grow(len(name) + len(value) + 4)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand the request to the direct face or to the app."""
        if self.direct is not None and self._takes_direct(self.direct):
            self._reading_direct, self._body = True, b""
        else:
            self._begin_cycle()

    def _takes_direct(self, direct: Direct) -> bool:
        if not self.url.startswith(direct.prefix) or self._busy():
            return False
        if (
            self.expect_100_continue or self.flow.write_paused
        ):  # a peer that does not read its answers
            return False
        if self._http.get_method() != b"POST" or not self._http.should_keep_alive():
            return False
        self._kind, length = b"", -1
        for name, value in self.headers:
            if name == b"content-type":
                self._kind = value
            elif name == b"content-length":
                length = int(value)
            elif name == b"content-encoding":
                return False
        return 0 <= length <= direct.max_body_bytes

    def _busy(self) -> bool:
        cycle: RequestResponseCycle | None = cast(Any, self.cycle)
        return (cycle is not None and not cycle.response_complete) or self._answering_direct

    def _begin_cycle(self) -> None:
        parser = self._http
        version, (path, _, query) = parser.get_http_version(), self.url.partition(b"?")
        self.scope: Any = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": self.scheme,
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": self.root_path,
            "headers": self.headers,
            "server": self.server,
            "client": self.client,
            "state": self.app_state.copy(),
        }
        busy = self._busy()
        self.cycle = _Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if busy:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self._asgi))
        else:
            self._start_asgi_task(self.cycle, self._asgi)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._reading_direct:
            self._body = self._body + body if self._body else body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; a direct one is answered now."""
        self.reading_since = None
        if self._reading_direct and self.direct is not None:
            self._reading_direct, self._answering_direct = False, True
            self.direct(self, self.url, self._kind, self._body)
        else:
            super().on_message_complete()

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.max_head_bytes:
            self.transport.abort()

    # answering it

    def respond(self, response: Response) -> None:
        """Send a direct answer in one write."""
        self._answering_direct = False
        if self.transport.is_closing():
            return
        more = [name + b": " + value + b"\r\n" for name, value in response.headers]
        if self._closing:
            more.append(b"connection: close\r\n")
        length, body = b"%d" % len(response.body), response.body
        self.transport.write(
            STATUS_LINE[response.status]
            + b"content-type: "
            + response.media_type
            + b"\r\ncontent-length: "
            + length
            + b"\r\n%s\r\n" % b"".join(more)
            + body
        )
        if self._closing:
            self.transport.close()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """Go on with what was pipelined, or wait."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.idle_since = self.loop.time()


_ASGI = {"version": "3.0", "spec_version": "2.3"}
