"""A real gateway takes what the SDK and the JavaScript device send, and their receipts hold."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from opendepin.core.encodings import to_hex
from opendepin.runtime.clock import SystemClock
from opendepin.sdk import Device, GatewayAway, Outbox, Sender
from opendepin.sdk.adapters.http import HttpNet
from opendepin.sdk.adapters.system import FileStore
from opendepin.sdk.adapters.system import SystemClock as DeviceClock
from tests.dims.gateway.live import Live
from tests.dims.gateway.world import DEVICES, GATEWAY, NETWORK, PROJECT
from tests.sdk.test_other_language import run_device


@pytest.mark.timeout(90)
async def test_both_devices_are_taken_and_nothing_is_doubled(tmp_path: Path) -> None:
    gateway = Live(tmp_path)
    await gateway.start()
    try:
        await _javascript(gateway)
        await _sdk(gateway, tmp_path / "device")
    finally:
        await gateway.stop()


async def _javascript(gateway: Live) -> None:
    now = SystemClock().now_ms()
    task = {
        "network_id": to_hex(NETWORK),
        "project": PROJECT,
        "secret": to_hex(DEVICES[0].key.secret),
        "device": to_hex(DEVICES[0].id),
        "messages": [
            {"seq": seq, "time_ms": now, "data": {"1": now // 1000, "2": 50 * seq}}
            for seq in (1, 2, 300)
        ],
        "url": f"http://127.0.0.1:{gateway.port}",
        "gateway": to_hex(GATEWAY.address),
    }
    made = await asyncio.to_thread(run_device, task)
    assert [each["receipt"]["position"] for each in made] == [1, 2, 3]


async def _sdk(gateway: Live, folder: Path) -> None:
    """Send through a gateway that dies in between and comes back."""
    store = FileStore(folder)
    device = Device(DEVICES[1].key, NETWORK, PROJECT, store, DeviceClock())
    outbox = Outbox(device, store)
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        outbox.put({1: 1_790_000_000, 2: 7})
        (first,) = await outbox.flush(_sender(http, gateway))
        assert first.receipt.position == 4
        await gateway.kill()
        outbox.put({1: 1_790_000_001, 2: 8})
        outbox.put({1: 1_790_000_002, 2: 9_000_000})
        outbox.put({1: 1_790_000_003, 2: 9})
        with pytest.raises(GatewayAway):
            await outbox.flush(_sender(http, gateway))
        assert len(outbox) == 3
        await gateway.start()
        sent = await outbox.flush(_sender(http, gateway))
    assert [each.receipt.position for each in sent] == [5, 6]
    assert len(outbox) == 0
    (reason,) = outbox.refused().values()
    assert reason.startswith("schema: ")
    store.close()


def _sender(http: httpx.AsyncClient, gateway: Live) -> Sender:
    return Sender(HttpNet(http), f"http://127.0.0.1:{gateway.port}", GATEWAY.address, NETWORK)
