"""A server that answers anything: bytes on a socket, as a hostile peer sends them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PIECE = b"[" + b" " * 65_535


@asynccontextmanager
async def hostile(behave: Behaviour) -> AsyncIterator[str]:
    """Serve one behaviour to whoever comes; yield the base address."""
    running: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with contextlib.suppress(ConnectionError, EOFError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"content-length:" in head:
                await reader.readexactly(int(head.split(b"content-length:")[1].split()[0]))
            await behave(writer)
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


async def sends_too_much(writer: asyncio.StreamWriter) -> None:
    """Stream pieces without end, as fast as they are taken."""
    writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
        await writer.drain()


async def never_ends(writer: asyncio.StreamWriter) -> None:
    """Drip one byte after another: no read ever times out."""
    writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\n \r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def declares_too_much(writer: asyncio.StreamWriter) -> None:
    """Announce a terabyte, send nothing."""
    writer.write(HEAD + b"content-length: 1000000000000\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(60)


async def declares_more_than_it_sends(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"content-length: 100\r\n\r\n{}")


async def declares_nonsense(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"content-length: -5\r\n\r\n{}")


async def declares_twice(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"content-length: 2\r\ncontent-length: 200\r\n\r\n{}")


BOMB = gzip.compress(bytes(64 << 20), 9)


async def sends_a_bomb(writer: asyncio.StreamWriter) -> None:
    """64 kB that unpack to 64 MiB."""
    writer.write(HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(BOMB) + BOMB)


async def nests_deep(writer: asyncio.StreamWriter) -> None:
    body = b"[" * 200_000
    writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)


async def never_answers(writer: asyncio.StreamWriter) -> None:
    """Drip a head that does not end."""
    writer.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.02)


ALL: dict[str, tuple[Behaviour, str | None]] = {
    "too much": (sends_too_much, "answer-size"),
    "no end": (never_ends, "answer-time"),
    "no head": (never_answers, "answer-time"),
    "a declared terabyte": (declares_too_much, "answer-size"),
    "less than declared": (declares_more_than_it_sends, None),
    "a nonsense length": (declares_nonsense, None),
    "two lengths": (declares_twice, None),
    "a gzip bomb": (sends_a_bomb, "answer-coding"),
}
"""Name → what a peer does, and the code of `AnswerRefused`; None where the HTTP library refuses."""
