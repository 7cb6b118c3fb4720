"""Bounds on what a peer can answer: bytes, time, and no packing.

In: the transports under `runtime.http.client` and `plain_client`. Out: answers that fit in memory
and end. A peer that sends more than the limit (declared or not), that sends without end, or that
packs what it sends (a few kilobytes unpack to gigabytes) raises `AnswerRefused`. The error is an
`httpx.TransportError` too: whoever speaks to peers has to expect those anyway, and turns them into
the error of their own room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from opendepin.core.errors import PeerFault

MAX_ANSWER_BYTES = 64 << 20
"""Largest answer that is read where the one who asks names no smaller limit."""
MAX_STATUS_BYTES = 1 << 20
"""Largest status document that is read."""
LONGEST_ANSWER_S = 120.0
"""An answer is whole within this time, however steadily it drips."""
MOST_BYTES, LONGEST_S = "opendepin.most_bytes", "opendepin.longest_s"


class AnswerRefused(PeerFault, httpx.TransportError):
    """A peer's answer is too long (`answer-size`), takes too long (`answer-time`) or is packed,
    which was not asked for (`answer-coding`).
    """

    code = "answer-size"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        httpx.TransportError.__init__(self, message)
        PeerFault.__init__(self, message, code=code)


def at_most(size: int, *, within_s: float | None = None) -> dict[str, Any]:
    """Return the `extensions` of one request whose answer has narrower bounds."""
    return {MOST_BYTES: size, **({} if within_s is None else {LONGEST_S: within_s})}


class _Bounds:
    """The bounds of one answer, from the request on."""

    def __init__(self, request: httpx.Request, most: int) -> None:
        self._most = int(request.extensions.get(MOST_BYTES, most))
        self.longest_s = float(request.extensions.get(LONGEST_S, LONGEST_ANSWER_S))
        self.until = time.monotonic() + self.longest_s
        self._url, self._has_body, self._size = request.url, request.method != "HEAD", 0
        request.headers["accept-encoding"] = "identity"

    def check_head(self, response: httpx.Response) -> None:
        """Refuse what the head says."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            text = f"{self._url} packs its answer ({coding[:40]!r}), which was not asked for"
            raise AnswerRefused(text, code="answer-coding")
        declared = response.headers.get("content-length", "")
        if not (self._has_body and declared.isascii() and declared.isdigit()):
            return
        if len(declared) > 18 or int(declared) > self._most:
            raise self._too_long()

    def take(self, part: bytes) -> bytes:
        """Count a part."""
        self._size += len(part)
        if self._size > self._most:
            raise self._too_long()
        if time.monotonic() > self.until:
            raise self.too_late()
        return part

    def _too_long(self) -> AnswerRefused:
        return AnswerRefused(f"{self._url} answers more than {self._most} bytes")

    def too_late(self) -> AnswerRefused:
        """Return the error of an answer that is not whole in time."""
        text = f"{self._url} has not ended its answer in {self.longest_s:g} s"
        return AnswerRefused(text, code="answer-time")


class BoundedTransport(httpx.AsyncBaseTransport):
    """A transport whose answers are bounded."""

    def __init__(self, inner: httpx.AsyncBaseTransport, most: int = MAX_ANSWER_BYTES) -> None:
        self._inner, self._most = inner, most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body comes within the bounds."""
        bounds = _Bounds(request, self._most)
        try:
            async with asyncio.timeout(bounds.longest_s):
                response = await self._inner.handle_async_request(request)
        except TimeoutError as error:
            raise bounds.too_late() from error
        try:
            bounds.check_head(response)
        except AnswerRefused:
            await response.aclose()
            raise
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Stream(response.stream, bounds)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, bounds: _Bounds) -> None:
        self._inner, self._bounds = inner, bounds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self._inner)
        while True:
            try:
                async with asyncio.timeout(self._bounds.until - time.monotonic()):
                    part = await anext(parts, None)
            except TimeoutError as error:
                raise self._bounds.too_late() from error
            if part is None:
                return
            yield self._bounds.take(part)

    async def aclose(self) -> None:
        await self._inner.aclose()


class PlainTransport(httpx.BaseTransport):
    """The same for a client that blocks; a part that does not come is its read timeout's affair."""

    def __init__(self, inner: httpx.BaseTransport, most: int = MAX_ANSWER_BYTES) -> None:
        self._inner, self._most = inner, most

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body comes within the bounds."""
        bounds = _Bounds(request, self._most)
        response = self._inner.handle_request(request)
        try:
            bounds.check_head(response)
        except AnswerRefused:
            response.close()
            raise
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _PlainStream(response.stream, bounds)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class _PlainStream(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, bounds: _Bounds) -> None:
        self._inner, self._bounds = inner, bounds

    def __iter__(self) -> Iterator[bytes]:
        for part in self._inner:
            yield self._bounds.take(part)

    def close(self) -> None:
        self._inner.close()


def json_of(answer: httpx.Response) -> Any:
    """Read an answer's JSON.

    Raises:
        ValueError: it is none, or nests too deep to be read.
    """
    try:
        return answer.json()
    except RecursionError as error:
        raise ValueError("the JSON nests too deep") from error
