"""Live events: nothing is missed over a reconnect, a slow visitor is let go, all get the same
bytes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opendepin.explorer.config import EVENT_RING, SUBSCRIBER_BACKLOG, SUBSCRIBERS_MAX
from opendepin.explorer.errors import RequestRejected
from opendepin.explorer.live import Live
from tests.explorer import history
from tests.explorer.conftest import indexed

HELLO = b"retry: 2000\n\n"


async def take(stream: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await asyncio.wait_for(anext(stream), 5) for _ in range(count)]


def said(count: int) -> Live:
    live = Live(7)
    for number in range(count):
        live.publish("head", {"height": number})
    return live


async def test_every_visitor_gets_the_same_bytes() -> None:
    live = said(0)
    streams = [live.listen(None) for _ in range(3)]
    for stream in streams:
        assert await take(stream, 1) == [HELLO]
    live.publish("head", {"height": 1})
    found = [(await take(stream, 1))[0] for stream in streams]
    assert found[0] == b'id: 7-1\nevent: head\ndata: {"height":1}\n\n'
    assert all(each is found[0] for each in found), "one payload, serialised once"


@pytest.mark.parametrize(
    ("last", "first_number"),
    [("7-3", 4), ("7-0", 1), ("6-3", 1), ("7-x", 1), ("nonsense", 1), ("7-" + "9" * 30, 1)],
)
async def test_a_reconnect_gets_what_it_missed(last: str, first_number: int) -> None:
    stream = said(5).listen(last)
    found = await take(stream, 1 + 6 - first_number)
    assert found[1].startswith(f"id: 7-{first_number}\n".encode())
    assert found[-1].startswith(b"id: 7-5\n")


async def test_a_new_visitor_gets_no_history() -> None:
    live = said(5)
    stream = live.listen(None)
    assert await take(stream, 1) == [HELLO]
    live.publish("head", {"height": 9})
    assert (await take(stream, 1))[0].startswith(b"id: 7-6\n")


async def test_the_ring_is_bounded() -> None:
    stream = said(EVENT_RING + 10).listen("6-0")
    found = await take(stream, 1 + EVENT_RING)
    assert found[1].startswith(b"id: 7-11\n")


async def test_a_visitor_who_lags_is_let_go() -> None:
    live = said(0)
    slow, quick = live.listen(None), live.listen(None)
    await take(slow, 1)
    await take(quick, 1)
    for number in range(SUBSCRIBER_BACKLOG + 1):
        live.publish("head", {"height": number})
        await take(quick, 1)
    with pytest.raises(StopAsyncIteration):
        await take(slow, 1)
    assert live.listeners == 1


async def test_a_visitor_who_leaves_is_forgotten() -> None:
    live = said(0)
    stream = live.listen(None)
    await take(stream, 1)
    assert live.listeners == 1
    await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue]
    assert live.listeners == 0


async def test_there_is_a_most_of_visitors() -> None:
    live = said(0)
    streams = [live.listen(None) for _ in range(SUBSCRIBERS_MAX)]
    with pytest.raises(RequestRejected) as refused:
        live.listen(None)
    assert refused.value.code == "busy"
    assert len(streams) == live.listeners


async def test_the_indexer_tells_each_kind(world: history.World, tmp_path: Path) -> None:
    live = Live(7)
    kinds: Counter[str] = Counter()
    publish = live.publish

    def counted(kind: str, data: dict[str, object]) -> None:
        kinds[kind] += 1
        publish(kind, data)

    live.publish = counted
    store = await indexed(world, tmp_path / "index.sqlite", live)
    store.close()
    assert kinds["batch"] == kinds["body"] == 11
    assert (kinds["settled"], kinds["paid"], kinds["assigned"]) == (10, 10, 11)
    assert kinds["admitted"] == 1, "groups read at once are one event"
    assert kinds["registered"] == 6, "twelve devices in a block are one event"
