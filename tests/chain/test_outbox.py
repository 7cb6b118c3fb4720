"""An intent happens exactly once, whatever dies, is lost, rolled back, or done by another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from opendepin.chain.abi import Contract
from opendepin.chain.artifacts import Artifact
from opendepin.chain.errors import NodeAway, Reverted
from opendepin.chain.outbox import DoneCheck, Intent, Outbox, OutboxConfig, OutboxStore, State
from opendepin.core.errors import Rejected
from opendepin.core.keys import Key
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.service import Stop

from .conftest import CRASHERS, FUNDED, QUIET, Node, start_node
from .test_client import Written

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAG = bytes(32)
FAST = OutboxConfig(poll_s=0.1, refusals=2)


def outbox(
    chain: Any,
    key: Key,
    path: Path,
    config: OutboxConfig = FAST,
    checks: dict[str, DoneCheck] | None = None,
) -> Outbox:
    return Outbox(chain, key, OutboxStore(path), SystemClock(), QUIET, config, checks)


@asynccontextmanager
async def running(box: Outbox) -> AsyncIterator[Outbox]:
    stop = Stop()
    task = asyncio.ensure_future(box.run(stop))
    try:
        yield box
    finally:
        stop.set()
        await task


def write(contract: Contract, name: str, key: int, amount: int = 5, **more: Any) -> Intent:
    return Intent(name, contract.address, contract.data("write", key, amount, TAG), **more)


async def effects(node: Node, contract: Contract) -> Counter[int]:
    """Return how often each key was written, by the events of the whole chain."""
    event = contract.event(Written)
    head = await node.client.block_number()
    logs = await node.client.logs([contract.address], 0, head, [event.topic])
    return Counter(event.decode(log.topics, log.data).key for log in logs)


class Shaky:
    """The chain as a process sees it that dies at its n-th call (0: never), before or after it."""

    def __init__(self, node: Node, dies_at: int = 0, *, after: bool = False) -> None:
        self._node, self._left, self._after = node, dies_at, after
        self.sent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._node.client, name)

        async def call(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Died
            result = await inner(*arguments)
            if name == "send_raw":
                self.sent.append(result)
            if self._left == 0:
                raise Died
            return result

        return call


class Died(Exception):
    """Stands for the end of the process."""


async def test_done_means_final_and_the_same_key_is_the_same_intent(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    async with running(outbox(node.client, FUNDED[10], tmp_path / "a.sqlite")) as box:
        outcome = await box.settle(write(contract, "write/1", 1))
        assert outcome.state is State.DONE
        assert outcome.block is not None
        assert outcome.block <= (await node.client.finalized()).height
        assert await box.settle(write(contract, "write/1", 1)) == outcome
        assert box.submit(write(contract, "write/1", 1)) is State.DONE
        assert box.state("write/1") is State.DONE
        assert box.state("write/2") is None
        with pytest.raises(Rejected):
            await box.wait("write/2")
    assert await effects(node, contract) == {1: 1}


async def test_many_intents_go_at_once_and_dependent_ones_wait_for_each_other(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    async with running(outbox(node.client, FUNDED[10], tmp_path / "a.sqlite")) as box:
        for number in range(20):
            box.submit(write(contract, f"write/{number}", number))
        steps = [Intent(f"step/{n}", contract.address, contract.data("step", n)) for n in (1, 2, 3)]
        for intent in steps:
            box.submit(intent)
        ended = [await box.wait(f"write/{number}") for number in range(20)]
        assert len({outcome.block for outcome in ended}) < len(ended)
        for intent in steps:
            assert (await box.wait(intent.key)).state is State.DONE
    assert await effects(node, contract) == {
        0: 1,
        **dict.fromkeys((1, 2, 3), 2),
        **dict.fromkeys(range(4, 20), 1),
    }


async def test_a_death_at_any_call_neither_doubles_nor_loses(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))

    async def one(number: int, dies_at: int, *, after: bool) -> None:
        key, path = CRASHERS[number], tmp_path / f"{number}.sqlite"
        box = outbox(Shaky(node, dies_at, after=after), key, path)
        box.submit(write(contract, "write", number))
        with pytest.raises(Died):
            await box.run(Stop())
        async with running(outbox(node.client, key, path)) as again:
            assert (await again.wait("write")).state is State.DONE
            assert await node.client.nonce(key.address) == 1

    cases = [(at, after) for at in range(1, 13) for after in (False, True)]
    await asyncio.gather(*(one(n, at, after=after) for n, (at, after) in enumerate(cases)))
    assert await effects(node, contract) == dict.fromkeys(range(len(cases)), 1)


async def test_refusals_carry_the_reason_and_cost_no_nonce(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    key = FUNDED[11]
    before = await node.client.nonce(key.address)
    async with running(outbox(node.client, key, tmp_path / "a.sqlite")) as box:
        with pytest.raises(Reverted) as refused:
            await box.settle(write(contract, "bad", 1, 13))
        assert (refused.value.reason, refused.value.transaction) == ("unlucky", None)
        assert await node.client.nonce(key.address) == before
        assert (await box.settle(write(contract, "bad", 1, 5))).state is State.DONE


async def test_a_mined_refusal_is_found_with_its_reason(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    async with running(outbox(node.client, FUNDED[11], tmp_path / "a.sqlite")) as box:
        box.submit(write(contract, "bad", 1, 13, gas=200_000))
        box.submit(write(contract, "poor", 2, 5, gas=40_000))
        box.submit(write(contract, "good", 3, 5, gas=300_000))
        with pytest.raises(Reverted) as refused:
            await box.wait("bad")
        assert refused.value.reason == "unlucky"
        assert refused.value.transaction is not None
        with pytest.raises(Reverted, match="would pass now"):
            await box.wait("poor")
        assert (await box.wait("good")).state is State.DONE
    assert await effects(node, contract) == {3: 1}


async def test_what_another_did_is_done_without_a_transaction(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))

    async def written(intent: Intent) -> bool:
        key = int(intent.key.split("/")[1])
        return await node.client.call(contract.call("values", key, returns=int)) != 0

    await node.send(FUNDED[0], contract.address, contract.data("write", 7, 5, TAG))
    box = outbox(node.client, FUNDED[12], tmp_path / "a.sqlite", checks={"write": written})
    before = await node.client.nonce(FUNDED[12].address)
    async with running(box):
        await node.blocks(1)
        outcome = await box.settle(write(contract, "write/7", 7, kind="write"))
        assert (outcome.state, outcome.transaction) == (State.DONE, None)
        assert await node.client.nonce(FUNDED[12].address) == before
        other = await box.settle(write(contract, "write/8", 8, kind="write"))
        assert other.transaction is not None
    assert await effects(node, contract) == {7: 1, 8: 1}


async def test_a_stuck_transaction_is_replaced_by_a_dearer_one(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    swallowed: list[bytes] = []

    class Lossy(Shaky):
        async def send_raw(self, raw: bytes) -> bytes:
            if not swallowed or raw in swallowed:
                swallowed.append(raw)
                return bytes(32)
            return await node.client.send_raw(raw)

    config = OutboxConfig(poll_s=0.1, resend_blocks=1, bump_blocks=2)
    box = outbox(Lossy(node), FUNDED[12], tmp_path / "a.sqlite", config)
    async with running(box):
        outcome = await box.settle(write(contract, "write", 1))
    assert len(swallowed) > 1  # handed over again before it was replaced
    assert outcome.transaction is not None
    with pytest.raises(Exception, match="nonce"):
        await node.client.send_raw(swallowed[0])
    assert await effects(node, contract) == {1: 1}


async def test_a_nonce_that_somebody_else_used_is_given_up_when_that_is_final(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    key = FUNDED[13]

    class Deaf(Shaky):
        async def send_raw(self, raw: bytes) -> bytes:
            return bytes(32)

    box = outbox(Deaf(node), key, tmp_path / "a.sqlite")
    box.submit(write(contract, "write", 1))
    await box.step()
    await node.mined(await node.send(key, FUNDED[0].address, value=1))
    async with running(outbox(node.client, key, tmp_path / "a.sqlite")) as again:
        assert (await again.wait("write")).state is State.DONE
    assert await effects(node, contract) == {1: 1}


@pytest.mark.serial
async def test_killing_the_engine_again_and_again_loses_and_doubles_nothing(
    register: Artifact, tmp_path: Path
) -> None:
    node = await start_node(tmp_path / "l1", hurry=False)
    contract = register.interface.at(await node.deploy(register, 1))
    await node.blocks(4)
    async with running(outbox(node.client, FUNDED[10], tmp_path / "a.sqlite")) as box:
        for number in range(1, 25):
            box.submit(write(contract, f"write/{number}", number))
            await asyncio.sleep(0.15)
            if number % 8 == 0:
                node.kill()
                await asyncio.sleep(0.6)
        for number in range(1, 25):
            outcome = await box.wait(f"write/{number}")
            receipt = await node.client.receipt(outcome.transaction or b"")
            assert receipt is not None
            assert receipt.block == outcome.block
    assert node.engine.restarts == 3
    assert await effects(node, contract) == dict.fromkeys(range(1, 25), 1)
    await node.close()


@pytest.mark.serial
async def test_a_rollback_is_sent_again_and_gaps_of_others_are_filled(
    fresh: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await fresh.deploy(register, 1))
    await fresh.engine.keep()
    key = FUNDED[10]
    await fresh.mined(await fresh.send(key, FUNDED[0].address, value=1))  # not of the outbox
    box = outbox(fresh.client, key, tmp_path / "a.sqlite")
    async with running(box):
        box.submit(write(contract, "write", 1))
        while await fresh.client.nonce(key.address) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await fresh.rollback()
        assert await fresh.client.nonce(key.address) == 0
        assert box.state("write") is State.SIGNED
        fresh.finalize()
        assert (await box.wait("write")).state is State.DONE
    assert await effects(fresh, contract) == {1: 1}
    assert await fresh.client.nonce(key.address) == 2


async def test_a_node_that_is_away_is_waited_for(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    away = [3]

    class Away(Shaky):
        async def block_number(self) -> int:
            if away[0]:
                away[0] -= 1
                raise NodeAway("away")
            return await node.client.block_number()

    async with running(outbox(Away(node), FUNDED[14], tmp_path / "a.sqlite")) as box:
        assert (await box.settle(write(contract, "write", 1))).state is State.DONE
    assert away == [0]


async def test_ended_intents_are_forgotten_by_number_not_by_age(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("opendepin.chain.outbox_store.KEPT_ENDED", 3)
    store = OutboxStore(tmp_path / "a.sqlite")
    from_store = []
    for number in range(6):
        entry = store.put(Intent(f"i/{number}", bytes(20), b"x"))
        store.end(entry.row, entry.outcome.__class__(State.DONE, None, 1, 0, ""))
        from_store.append(entry.intent.key)
    assert [key for key in from_store if store.find(key) is not None] == from_store[-3:]
    assert store.live() == []
