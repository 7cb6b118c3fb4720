"""The follower holds final histories, distrusts at once, forgets what is taken back."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest

from opendepin.chain.errors import NodeAway
from opendepin.core.errors import Rejected
from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key
from opendepin.dims.identity.config import IdentityConfig
from opendepin.dims.identity.errors import FinalTakenBack, IdentityFull, RegistryFault
from opendepin.dims.identity.ports import Project
from opendepin.dims.identity.service import IdentityService
from opendepin.runtime import telemetry
from opendepin.runtime.service import Stop
from tests.dims.identity.blocks import Blocks, registered

DEVICE = Key.from_seed(b"device")
OTHER = Key.from_seed(b"other device")
NEW_KEY = Key.from_seed(b"new key")
STATE = registered(DEVICE)
SUSPENDED = replace(STATE, status=Status.SUSPENDED)
REVOKED = replace(STATE, status=Status.REVOKED)
ROTATED = replace(STATE, public=NEW_KEY.public)


def follower(blocks: Blocks, **config: int) -> IdentityService:
    log = telemetry.log("test", io.StringIO())
    return IdentityService(blocks, log, IdentityConfig(poll_s=0.001, **config))


async def final_device(blocks: Blocks) -> IdentityService:
    """A follower that has DEVICE as final and trusted."""
    blocks.add(STATE)
    blocks.empty(3)
    blocks.final_height = 3
    service = follower(blocks)
    await service.step()
    current = service.current(DEVICE.address)
    assert current is not None
    assert current.status is Status.ACTIVE
    return service


async def test_starts_knowing_nothing() -> None:
    service = follower(Blocks())
    assert service.current(DEVICE.address) is None
    assert (service.identity_block(), service.history(DEVICE.address)) == (0, ())
    assert (service.project_count, service.device_count) == (0, 0)


async def test_a_device_speaks_when_its_registration_is_final_and_not_before() -> None:
    blocks = Blocks()
    block = blocks.add(STATE)
    service = follower(blocks)
    await service.step()
    assert service.current(DEVICE.address) is None
    blocks.empty(2)
    blocks.final_height = 2
    await service.step()
    assert service.current(DEVICE.address) == replace(STATE, from_block=block)
    assert service.identity_block() == 2


@pytest.mark.parametrize("change", [SUSPENDED, REVOKED, ROTATED])
async def test_trust_goes_with_the_block_that_takes_it(change: KeyChange) -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.add(change)
    await service.step()
    current = service.current(DEVICE.address)
    assert current is not None
    assert current.status is not Status.ACTIVE
    assert service.changing(DEVICE.address)
    assert service.identity_block() == 3
    assert service.history(DEVICE.address)[-1].status is Status.ACTIVE


async def test_a_rotated_key_holds_when_final_and_the_old_one_no_more() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    changed = blocks.add(ROTATED)
    await service.step()
    blocks.final_height = blocks.head
    await service.step()
    current = service.current(DEVICE.address)
    assert current is not None
    assert (current.public, current.status) == (NEW_KEY.public, Status.ACTIVE)
    assert not service.changing(DEVICE.address)
    assert service.key_at(DEVICE.address, changed - 1, 1).public == DEVICE.public
    assert service.key_at(DEVICE.address, changed, 1).public == NEW_KEY.public


async def test_what_became_final_counts_though_the_node_goes_away_at_once() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.add(ROTATED)
    await service.step()
    blocks.final_height = blocks.head

    async def away() -> int:
        raise NodeAway("the node does not answer")

    blocks.height = away
    with pytest.raises(NodeAway):
        await service.step()
    current = service.current(DEVICE.address)
    assert current is not None
    assert (current.public, current.status) == (NEW_KEY.public, Status.ACTIVE)


async def test_a_resumed_device_speaks_when_the_resumption_is_final() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.add(SUSPENDED)
    blocks.final_height = blocks.head
    await service.step()
    blocks.add(STATE)
    await service.step()
    current = service.current(DEVICE.address)
    assert current is not None
    assert current.status is Status.SUSPENDED
    blocks.final_height = blocks.head
    await service.step()
    current = service.current(DEVICE.address)
    assert current is not None
    assert current.status is Status.ACTIVE


@pytest.mark.parametrize("change", [SUSPENDED, REVOKED, ROTATED])
async def test_what_is_taken_back_is_forgotten(change: KeyChange) -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    before = service.current(DEVICE.address)
    blocks.add(change)
    await service.step()
    assert service.current(DEVICE.address) != before
    blocks.rewind(1)
    await service.step()
    assert service.current(DEVICE.address) == before
    assert not service.changing(DEVICE.address)


async def test_a_fork_of_the_same_height_shows_with_the_next_block() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.add(SUSPENDED)
    await service.step()
    blocks.rewind(1)
    blocks.add(fork=b"other")
    blocks.add()
    await service.step()
    assert not service.changing(DEVICE.address)


async def test_a_final_block_that_is_gone_stops_everything() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.rewind(2)
    for _ in range(3):
        blocks.add(fork=b"other")
    blocks.final_height = blocks.head
    with pytest.raises(FinalTakenBack):
        await service.step()
    with pytest.raises(FinalTakenBack):
        await service.run(Stop())
    assert service.identity_block() == 3


async def test_a_node_that_lags_is_waited_for() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    kept = blocks.chain[3:]
    blocks.rewind(2)
    blocks.final_height = 2
    await service.step()
    assert service.identity_block() == 3
    blocks.chain += kept
    blocks.final_height = 4
    await service.step()
    assert service.identity_block() == 4


async def test_a_final_block_that_is_not_there_is_the_nodes_fault() -> None:
    blocks = Blocks()
    service = await final_device(blocks)

    async def other(height: int) -> bytes | None:
        return bytes(32) if height == 4 else blocks.chain[height].hash

    blocks.final_height = 4
    blocks.hash_at = other
    with pytest.raises(RegistryFault, match="not there"):
        await service.step()
    assert service.identity_block() == 3


async def test_a_left_out_event_is_found_and_nothing_of_the_span_taken() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.add(registered(OTHER, index=1))
    blocks.add(SUSPENDED)
    blocks.add(STATE)
    blocks.final_height = blocks.head
    blocks.drop = 1
    with pytest.raises(RegistryFault, match="missing or altered"):
        await service.step()
    assert service.identity_block() == 3
    assert service.current(OTHER.address) is None
    blocks.drop = None
    await service.step()
    assert service.current(OTHER.address) is not None
    assert [c.status for c in service.history(DEVICE.address)] == [1, 2, 1]


async def test_a_node_away_changes_nothing_and_is_asked_again() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.away = True
    stop = Stop()
    running = asyncio.ensure_future(service.run(stop))
    await asyncio.sleep(0.02)
    assert service.current(DEVICE.address) is not None
    blocks.add()
    blocks.final_height = blocks.head
    blocks.away = False
    await asyncio.wait_for(service.reach(blocks.head), 2)
    stop.set()
    await running


async def test_reach_waits_for_its_block() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    await service.reach(3)
    later = asyncio.ensure_future(service.reach(5))
    gone = asyncio.ensure_future(service.reach(4))
    blocks.empty(3)
    blocks.final_height = 4
    gone.cancel()
    await service.step()
    assert not later.done()
    blocks.final_height = 5
    await service.step()
    await asyncio.wait_for(later, 1)


async def test_a_long_past_is_read_in_spans() -> None:
    blocks = Blocks()
    for number in range(9):
        blocks.add(registered(Key.from_seed(b"%d" % number), index=number))
    blocks.final_height = blocks.head
    service = follower(blocks, span_blocks=2, slice_entries=1)
    await service.step()
    assert (service.identity_block(), service.device_count) == (9, 9)


async def test_nothing_before_the_first_block_is_read() -> None:
    blocks = Blocks()
    blocks.empty(4)
    service = follower(blocks, first_block=6)
    blocks.final_height = 4
    await service.step()
    assert service.identity_block() == 0
    blocks.empty(3)
    blocks.final_height = 7
    await service.step()
    assert service.identity_block() == 7


async def test_holds_no_more_devices_than_it_may() -> None:
    blocks = Blocks()
    blocks.add(STATE, registered(OTHER, index=1))
    blocks.final_height = 1
    with pytest.raises(IdentityFull):
        await follower(blocks, max_devices=1).step()
    service = follower(blocks, max_devices=2)
    await service.step()
    assert service.device_count == 2


async def test_projects_are_counted() -> None:
    blocks = Blocks()
    project = Project(1, OTHER.address, "clean air", bytes(32))
    blocks.add(projects=(project,))
    service = follower(blocks)
    await service.step()
    assert (service.project_count, service.project(1)) == (0, None)
    blocks.final_height = 1
    await service.step()
    assert (service.project_count, service.project(1)) == (1, project)


async def test_key_at_says_why_not() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    blocks.add(SUSPENDED)
    blocks.add(REVOKED)
    blocks.final_height = blocks.head
    await service.step()
    for block, project, code in ((0, 1, "unknown-device"), (1, 2, "wrong-project")):
        with pytest.raises(Rejected) as caught:
            service.key_at(DEVICE.address, block, project)
        assert caught.value.code == code
    for block, code in ((4, "suspended"), (5, "suspended"), (6, "revoked")):
        if block == 4:
            assert service.key_at(DEVICE.address, block, 1).public == DEVICE.public
            continue
        with pytest.raises(Rejected) as caught:
            service.key_at(DEVICE.address, block, 1)
        assert caught.value.code == code
    with pytest.raises(RegistryFault, match="not applied"):
        service.key_at(DEVICE.address, 7, 1)


async def test_an_idle_chain_costs_two_questions_a_look() -> None:
    blocks = Blocks()
    service = await final_device(blocks)
    before = blocks.calls
    await service.step()
    assert blocks.calls - before == 2
