"""What a device keeps is sent once, in order, whatever power, net and gateway do."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core import message, schema
from opendepin.core.encodings import cbor_encode
from opendepin.core.limits import MAX_SEQ
from opendepin.sdk import (
    GatewayAway,
    Outbox,
    OutboxFull,
    ReceiptWrong,
    StoreBroken,
    outbox,
)
from opendepin.sdk.device import RESERVED, SEQ
from tests.sdk.memory import WEEK_MS, Clock, Gateway, Memory, PowerCut, device, sender


def reading(number: int) -> dict[int, int]:
    return {1: 1_039_132_800 + number, 2: number}


def seqs(gateway: Gateway) -> list[int]:
    return [message.parse(raw).seq for _, raw in gateway.rows.values()]


def values(gateway: Gateway) -> list[schema.Value]:
    return [message.parse(raw).data[2] for _, raw in gateway.rows.values()]


@settings(max_examples=80)
@given(st.data())
def test_power_cuts_and_lost_answers_lose_and_double_nothing(data: st.DataObject) -> None:
    """Each reading put durably is admitted exactly once and in order; seq only grows."""
    clock, store = Clock(), Memory()
    chance = st.sampled_from([False, False, True])
    gateway = Gateway(clock, away=lambda: data.draw(chance), lost=lambda: data.draw(chance))
    kept: list[int] = []
    unsure: int | None = None
    number = 0
    for _ in range(data.draw(st.integers(1, 8))):
        store.writes_left = data.draw(st.none() | st.integers(0, 6))
        store.cut_after = data.draw(st.booleans())
        try:
            box = Outbox(device(store, clock), store)
            for _ in range(data.draw(st.integers(0, 3))):
                number += 1
                unsure = number
                box.put(reading(number))
                kept.append(number)
                unsure = None
            asyncio.run(box.flush(sender(gateway)))
        except (PowerCut, GatewayAway):
            if unsure is not None and any(n.startswith("queue-") for n in store.values):
                kept += [unsure] * _is_stored(store, unsure)
                unsure = None
        clock.ms += data.draw(st.integers(0, 3)) * 86_400_000
    store.writes_left = None
    gateway.away = gateway.lost = lambda: False
    box = Outbox(device(store, clock), store)
    asyncio.run(box.flush(sender(gateway)))
    assert len(box) == 0
    assert box.refused() == {}
    assert values(gateway) == kept
    assert seqs(gateway) == sorted(set(seqs(gateway)))


def _is_stored(store: Memory, number: int) -> bool:
    """Tell whether the reading that was put at the power cut was written all the same."""
    return any(
        value[:1] == b"r" and value.endswith(_tail(number))
        for name, value in store.values.items()
        if name.startswith("queue-")
    )


def _tail(number: int) -> bytes:
    return cbor_encode({2: number})[1:]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 3 * RESERVED), min_size=1, max_size=5))
def test_seq_never_goes_back_across_restarts(counts: list[int]) -> None:
    store, clock, last = Memory(), Clock(), 0
    for count in counts:
        each = device(store, clock)
        for _ in range(count):
            seq = message.parse(each.sign({1: 1, 2: 2})).seq
            assert last < seq <= last + 1 + RESERVED
            last = seq


@settings(max_examples=30)
@given(st.integers(0, 4), st.booleans(), st.integers(1, 2 * RESERVED))
def test_seq_never_goes_back_across_power_cuts(cut: int, after: bool, count: int) -> None:
    store, clock, used = Memory(writes_left=cut, cut_after=after), Clock(), list[int]()
    for _ in range(3):
        try:
            each = device(store, clock)
            used += [message.parse(each.sign({1: 1, 2: 2})).seq for _ in range(count)]
        except PowerCut:
            store.writes_left = None
    assert used == sorted(set(used))


def test_the_last_seq_is_the_end() -> None:
    store = Memory({SEQ: str(MAX_SEQ - 1).encode()})
    each = device(store, Clock())
    assert message.parse(each.sign({1: 1, 2: 2})).seq == MAX_SEQ
    with pytest.raises(StoreBroken, match="last one"):
        each.sign({1: 1, 2: 2})
    with pytest.raises(StoreBroken):
        device(store, Clock()).sign({1: 1, 2: 2})


@pytest.mark.parametrize("kept", [b"", b"x", b"-1", b"1.0", "²".encode(), b"9" * 30, b"\0"])
def test_a_damaged_seq_file_stops_the_device(kept: bytes) -> None:
    with pytest.raises(StoreBroken):
        device(Memory({SEQ: kept}), Clock())


async def test_offline_for_days_then_everything_is_sent() -> None:
    """Signed when it is sent, so nothing is too old; observed long ago."""
    clock, store = Clock(), Memory()
    gateway = Gateway(clock, away=lambda: True)
    box = Outbox(device(store, clock), store)
    for number in range(30):
        box.put(reading(number))
        with pytest.raises(GatewayAway):
            await box.flush(sender(gateway))
        clock.ms += 86_400_000
        box = Outbox(device(store, clock), store)
    gateway.away = lambda: False
    sent = await box.flush(sender(gateway))
    assert [message.parse(each.raw).data[2] for each in sent] == list(range(30))
    assert values(gateway) == list(range(30))
    assert box.refused() == {}
    assert all(message.parse(e.raw).time_ms == clock.ms for e in sent[1:])


async def test_a_signature_that_got_too_old_is_made_anew() -> None:
    clock, store = Clock(), Memory()
    gateway = Gateway(clock, away=lambda: True)
    box = Outbox(device(store, clock), store)
    box.put(reading(1))
    with pytest.raises(GatewayAway):
        await box.flush(sender(gateway))
    clock.ms += WEEK_MS + 1
    gateway.away = lambda: False
    (sent,) = await box.flush(sender(gateway))
    assert message.parse(sent.raw).time_ms == clock.ms
    assert seqs(gateway) == [2]


async def test_an_acknowledgement_that_got_lost_is_asked_for_again() -> None:
    clock, store = Clock(), Memory()
    gateway = Gateway(clock, lost=lambda: True)
    box = Outbox(device(store, clock), store)
    box.put(reading(1))
    with pytest.raises(GatewayAway):
        await box.flush(sender(gateway))
    assert len(box) == len(gateway.rows) == 1
    gateway.lost = lambda: False
    clock.ms += WEEK_MS + 1
    (sent,) = await Outbox(device(store, clock), store).flush(sender(gateway))
    assert sent.receipt.position == 1
    assert len(gateway.rows) == 1


async def test_what_is_refused_is_set_aside_and_blocks_nothing() -> None:
    clock, store = Clock(), Memory()
    gateway = Gateway(clock, refuse=lambda m: "schema" if m.data[2] == 2 else None)
    box = Outbox(device(store, clock), store)
    for number in (1, 2, 3):
        box.put(reading(number))
    assert len(await box.flush(sender(gateway))) == 2
    assert values(gateway) == [1, 3]
    assert box.refused() == {"refused-0000000000000002": "schema: it is schema"}
    assert Outbox(device(store, clock), store).refused() == box.refused()
    assert len(Outbox(device(store, clock), store)) == 0


async def test_acknowledged_ones_are_returned_before_an_error() -> None:
    clock, store = Clock(), Memory()
    gateway = Gateway(clock)
    gateway.away = lambda: len(gateway.rows) == 2
    box = Outbox(device(store, clock), store)
    for number in range(4):
        box.put(reading(number))
    assert len(await box.flush(sender(gateway))) == 2
    with pytest.raises(GatewayAway):
        await box.flush(sender(gateway))
    assert len(box) == 2


async def test_two_flushes_at_once_send_each_once() -> None:
    clock, store = Clock(), Memory()
    gateway = Gateway(clock)
    box = Outbox(device(store, clock), store)
    for number in range(5):
        box.put(reading(number))
    both = await asyncio.gather(box.flush(sender(gateway)), box.flush(sender(gateway)))
    assert sorted(map(len, both)) == [0, 5]
    assert gateway.posts == 5


async def test_a_wrong_receipt_keeps_the_message() -> None:
    clock, store = Clock(), Memory()
    box = Outbox(device(store, clock), store)
    box.put(reading(1))
    with pytest.raises(ReceiptWrong):
        await box.flush(sender(Gateway(clock), gateway=device(store, clock).key))
    assert len(box) == len(Outbox(device(store, clock), store)) == 1


def test_a_full_outbox_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_QUEUED", 2)
    store = Memory()
    box = Outbox(device(store, Clock()), store)
    box.put(reading(1))
    box.put(reading(2))
    before = dict(store.values)
    with pytest.raises(OutboxFull):
        box.put(reading(3))
    assert store.values == before


@pytest.mark.parametrize("kept", [b"", b"x", b"r", b"r\xff", b"r\x81\x01", b"m", b"m\xd2\x84"])
async def test_a_damaged_entry_is_said_so(kept: bytes) -> None:
    store = Memory({"queue-0000000000000001": kept})
    box = Outbox(device(store, Clock()), store)
    with pytest.raises(StoreBroken):
        await box.flush(sender(Gateway(Clock())))
