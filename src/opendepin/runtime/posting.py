"""Many small requests to one server that is asked all the time: the Layer 1's JSON-RPC.

In: bytes to post. Out: status and bytes, whole, within the bounds. A request costs a fifth of what
`runtime.http.client` takes for it, which is half of what an idle network costs; what is asked
seldom is asked through that one.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import aiohttp

from opendepin.runtime import answers
from opendepin.runtime.answers import MAX_ANSWER_BYTES, AnswerRefused

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 16
_HEADERS = {"content-type": "application/json", "accept-encoding": "identity"}


class Poster:
    """Keeps connections to the servers it posts to; belongs to one event loop.

    Args:
        connections: most open at once.
        most_bytes: largest answer that is read.
    """

    def __init__(self, *, connections: int = 16, most_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._connections, self._most = connections, most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Post a JSON document; return the answer's status and body.

        Raises:
            AnswerRefused: nobody listens, the connection broke or its time is over
                (`answer-missing`); or the answer is longer than the limit, or packed.
        """
        if self._session is None:
            self._session = self._open()
        try:
            async with self._session.post(url, data=body, headers=_HEADERS) as answer:
                if answer.headers.get("content-encoding", "identity") != "identity":
                    text = f"{url} packs its answer, which was not asked for"
                    raise AnswerRefused(text, code="answer-coding")
                return answer.status, await self._body(url, answer)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise AnswerRefused(
                f"{url} does not answer: {error!r}", code="answer-missing"
            ) from error

    async def _body(self, url: str, answer: aiohttp.ClientResponse) -> bytes:
        if (answer.content_length or 0) > self._most:
            raise self._too_long(url)
        found = bytearray()
        async for part in answer.content.iter_chunked(CHUNK_BYTES):
            found += part
            if len(found) > self._most:
                raise self._too_long(url)
        return bytes(found)

    def _too_long(self, url: str) -> AnswerRefused:
        return AnswerRefused(f"{url} answers more than {self._most} bytes")

    def _open(self) -> aiohttp.ClientSession:
        times = aiohttp.ClientTimeout(
            total=answers.LONGEST_ANSWER_S, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S
        )
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=times,
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)  # lets the transports close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
