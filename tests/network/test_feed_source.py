"""A gateway's feed as sequencer and explorer read it: what is no feed is a gateway that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from opendepin.core.encodings import cbor_encode
from opendepin.core.errors import PeerFault
from opendepin.network.sources.feeds import FeedSource

ROWS = [(3, b"third"), (4, b"fourth")]
BODY = b"".join(cbor_encode(list(row)) for row in ROWS)

Answer = Callable[[httpx.Request], httpx.Response]


def read(answer: Answer) -> list[tuple[int, bytes]]:
    async def asked() -> list[tuple[int, bytes]]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return list(await FeedSource(http, "http://gateway").after(2, 64))

    return asyncio.run(asked())


def test_rows_are_read() -> None:
    assert read(lambda _: httpx.Response(200, content=BODY)) == ROWS


@pytest.mark.parametrize(
    "body",
    [BODY[:-1], b"<html>", cbor_encode([3]), cbor_encode(["3", b""]), b"\x9f" * 5_000],
    ids=["cut short", "a page", "no group", "no number", "a depth bomb"],
)
def test_an_answer_that_is_no_feed_is_a_gateway_that_is_away(body: bytes) -> None:
    with pytest.raises(PeerFault):
        read(lambda _: httpx.Response(200, content=body))


def test_a_gateway_that_does_not_answer_is_away() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(PeerFault):
        read(refuse)
    with pytest.raises(PeerFault):
        read(lambda _: httpx.Response(503))
