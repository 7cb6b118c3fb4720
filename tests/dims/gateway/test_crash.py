"""kill -9 of a real gateway under load: nothing acknowledged is lost, positions stay dense,
receipts hold.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from opendepin.core.group import Receipt
from opendepin.dims.gateway.errors import GatewayFault
from tests.dims.gateway.live import Live, gateway_client
from tests.dims.gateway.world import DEVICES, GATEWAY, PROJECT, Device, message_id

ROUNDS = 6


class Sender:
    """One device that goes on sending, frame by frame, and remembers what was acknowledged."""

    def __init__(self, device: Device) -> None:
        self.device, self.seq = device, 0
        self.unanswered: list[bytes] = []
        self.receipts: dict[bytes, Receipt] = {}
        self.repeated = 0

    async def run(self, port: int) -> None:
        try:
            async with gateway_client(port) as gateway:
                while True:
                    if not self.unanswered:
                        self.unanswered = [self.sign() for _ in range(1 + self.seq % 7)]
                    answers = await gateway.send_frame(PROJECT, self.unanswered)
                    for raw, answer in zip(self.unanswered, answers, strict=True):
                        assert answer.status in (200, 202), (answer.code, answer.detail)
                        assert answer.receipt is not None
                        answer.receipt.check(GATEWAY.address)
                        self.receipts[message_id(raw)] = answer.receipt
                        self.repeated += answer.status == 200
                    self.unanswered = []
        except GatewayFault:
            return

    def sign(self) -> bytes:
        self.seq += 1
        return self.device.sign(self.seq, self.seq, time_ms=int(time.time() * 1000))


def acknowledged(senders: list[Sender]) -> int:
    return sum(len(sender.receipts) for sender in senders)


@pytest.mark.serial
async def test_nothing_acknowledged_is_lost_over_kills(tmp_path: Path) -> None:
    live = Live(tmp_path, checkpoint_messages=50, device_burst=100_000, group_messages=16)
    senders = [Sender(device) for device in DEVICES[:5]]
    for round_ in range(ROUNDS):
        await live.start()
        running = [asyncio.ensure_future(sender.run(live.port)) for sender in senders]
        goal = acknowledged(senders) + 40
        while acknowledged(senders) < goal:  # noqa: ASYNC110 - progress, not time, says when
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.003 * round_)
        await live.kill()
        await asyncio.gather(*running)
    await live.start()
    known = {identity: row for sender in senders for identity, row in sender.receipts.items()}
    assert len(known) >= 40 * ROUNDS
    async with gateway_client(live.port) as gateway:
        found: dict[bytes, int] = {}
        after, due = 0, 1
        while rows := await gateway.feed(after, limit=500):
            for number, group in rows:
                assert group.header.first == due, "positions are dense"
                due += group.header.count
                after = number
                for index, raw in enumerate(group.messages):
                    assert message_id(raw) not in found, "a message has one place"
                    found[message_id(raw)] = group.header.first + index
        for identity, receipt in known.items():
            assert found.get(identity) == receipt.position, "an acknowledged message is lost"
        for identity in list(known)[:: max(1, len(known) // 50)]:
            assert await gateway.receipt(identity) == known[identity]
        for sender in senders:
            raws = [raw for raw in sender.unanswered if message_id(raw) in found]
            for answer in await gateway.send_frame(PROJECT, raws) if raws else []:
                assert answer.status == 200, "what was durable but not answered is a repeat"
    await live.stop()
