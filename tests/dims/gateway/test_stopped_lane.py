"""A lane whose acknowledged messages come into no batch in time takes no new ones until they do."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core.errors import PeerFault
from opendepin.dims.gateway import dues
from opendepin.dims.gateway.dues import Broken, Due, Seen
from opendepin.dims.gateway.errors import Refusal
from opendepin.dims.gateway.lanes import Outcome
from opendepin.dims.gateway.service import Gateway
from tests.contracts import batches
from tests.contracts import world as contracts
from tests.dims.gateway.world import (
    DEVICES,
    ELSEWHERE,
    GATEWAY,
    OTHER_PROJECT,
    PROJECT,
    World,
    running,
)

WITHIN = 10
"""`include_by_block` of a group is the height at its commit plus this."""


def code_of(outcome: Outcome) -> str:
    return outcome.code if isinstance(outcome, Refusal) else "taken"


async def send(gateway: Gateway, seq: int, project: int = PROJECT) -> str:
    lane = gateway.lane(project)
    assert lane is not None
    device = DEVICES[0] if project == PROJECT else ELSEWHERE
    return code_of(await gateway.admit(lane, device.sign(seq)))


def stopped(gateway: Gateway) -> Any:
    return gateway.status()["lanes_stopped"]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=12),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), max_size=6),
)
def test_the_oldest_uncovered_group_says_when(
    groups: list[tuple[int, int]], looks: list[tuple[int, int]]
) -> None:
    """Against a model that keeps every group; positions and heights only go up."""
    rows, every = list[Due](), list[Due]()
    last, block = 0, 5
    for count, later in groups:
        last, block = last + count, block + later
        dues.promise(rows, last, block)
        every.append(Due(last, block))
    assert len(rows) == len({due.block for due in every})
    covered = height = 0
    for up, higher in looks:
        covered, height = min(last, covered + up), height + higher
        oldest = next((due for due in every if due.last > covered), None)
        late = oldest is not None and height >= oldest.block
        found = dues.broken(rows, covered, height)
        assert (found is not None) == late
        if found is not None and oldest is not None:
            assert found == Broken(covered + 1, oldest.block)
        dues.keep(rows, covered)
        assert dues.broken(rows, covered, height) == found


async def test_a_late_lane_refuses_new_messages_until_it_is_covered(tmp_path: Path) -> None:
    world = World(tmp_path, include_within_blocks=WITHIN)
    async with running(world) as gateway:
        see = world.registry
        assert await send(gateway, 1) == "taken"
        due = see.at + WITHIN
        see.at = due - 1
        await gateway.watch.look()
        assert (await send(gateway, 2), stopped(gateway)) == ("taken", {})
        see.at = due
        await gateway.watch.look()
        lane = gateway.lane(PROJECT)
        assert lane is not None
        refused = await gateway.admit(lane, DEVICES[0].sign(3))
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.status) == ("lane-stopped", 503)
        assert refused.retry_after_s is not None
        assert stopped(gateway) == {str(PROJECT): {"position": 1, "include_by_block": due}}
        repeat = await gateway.admit(lane, DEVICES[0].sign(1))
        assert not isinstance(repeat, Refusal)
        assert repeat.repeated
        assert await send(gateway, 1, OTHER_PROJECT) == "taken"
        see.in_batches[PROJECT] = 1
        await gateway.watch.look()
        assert (await send(gateway, 3), stopped(gateway)) == ("taken", {})
        see.at = due + WITHIN
        await gateway.watch.look()
        assert await send(gateway, 4) == "lane-stopped"
        see.in_batches[PROJECT] = 3
        see.in_batches[OTHER_PROJECT] = 1
        await gateway.watch.look()
        assert (await send(gateway, 4), stopped(gateway)) == ("taken", {})
        assert len(await gateway.feed(0, 100)) == 5


async def test_a_chain_that_went_back_opens_a_lane_again(tmp_path: Path) -> None:
    world = World(tmp_path, include_within_blocks=WITHIN)
    async with running(world) as gateway:
        assert await send(gateway, 1) == "taken"
        world.registry.at += WITHIN
        await gateway.watch.look()
        assert await send(gateway, 2) == "lane-stopped"
        world.registry.at -= 1
        await gateway.watch.look()
        assert await send(gateway, 2) == "taken"


@pytest.mark.parametrize("kept", ["log", "checkpoint"])
async def test_a_restart_does_not_forget_what_is_due(tmp_path: Path, kept: str) -> None:
    world = World(tmp_path, include_within_blocks=WITHIN, checkpoint_messages=1)
    async with running(world) as gateway:
        assert await send(gateway, 1) == "taken"
    if kept == "log":
        shutil.rmtree(tmp_path / "index")
    async with running(world) as gateway:
        assert world.replayed == (1 if kept == "log" else 0)
        await gateway.watch.look()
        assert await send(gateway, 2) == "taken"
        world.registry.at += WITHIN
        await gateway.watch.look()
        assert await send(gateway, 3) == "lane-stopped"
    async with running(world) as gateway:
        await gateway.watch.look()
        assert await send(gateway, 3) == "lane-stopped"
        world.registry.in_batches[PROJECT] = 2
        await gateway.watch.look()
        assert await send(gateway, 3) == "taken"


class AwayInbox:
    """An inbox that can be away."""

    def __init__(self, world: World) -> None:
        self.away, self._see = False, world.registry

    async def covered(self, projects: Sequence[int]) -> Seen:
        if self.away:
            raise PeerFault("the L1 is away", code="node-away")
        return await self._see.covered(projects)


async def test_while_layer_1_is_away_what_was_seen_last_holds(tmp_path: Path) -> None:
    world = World(tmp_path, include_within_blocks=WITHIN)
    inbox = world.inbox = AwayInbox(world)
    async with running(world) as gateway:
        assert await send(gateway, 1) == "taken"
        inbox.away = True
        world.registry.at += WITHIN
        await gateway.watch.look()
        assert await send(gateway, 2) == "taken"
        inbox.away = False
        await gateway.watch.look()
        inbox.away, world.registry.in_batches[PROJECT] = True, 2
        await gateway.watch.look()
        assert await send(gateway, 3) == "lane-stopped"


class ContractInbox:
    """The port over the true contract in an EVM."""

    def __init__(self) -> None:
        boa.env.evm.patch.block_number = contracts.START_BLOCK
        members = sorted(contracts.address_text(key.address) for key in contracts.ATTESTERS)
        held = contracts.load("Attesters", members, 3)
        sequencer = contracts.address_text(contracts.SEQUENCER.address)
        network = contracts.NETWORK_ID
        self.contract = contracts.load("BatchInbox", network, sequencer, held.address, 600)

    async def covered(self, projects: Sequence[int]) -> Seen:
        gateway = contracts.address_text(GATEWAY.address)
        rows = {project: self.contract.covered(gateway, project)[0] for project in projects}
        return Seen(batches.block() - 1, rows)


@pytest.mark.contract
async def test_the_contracts_own_positions_stop_and_open_a_lane(tmp_path: Path) -> None:
    world = World(tmp_path, include_within_blocks=WITHIN)
    inbox = world.inbox = ContractInbox()
    world.registry.at = batches.block() - 1
    async with running(world) as gateway:
        assert [await send(gateway, seq) for seq in (1, 2)] == ["taken", "taken"]
        boa.env.time_travel(blocks=WITHIN - 1)
        await gateway.watch.look()
        assert await send(gateway, 3) == "taken"
        boa.env.time_travel(blocks=1)
        await gateway.watch.look()
        assert await send(gateway, 4) == "lane-stopped"
        other = batches.span(1, 9)
        batches.submit(inbox.contract, batches.segment(other, project=PROJECT))
        await gateway.watch.look()
        assert await send(gateway, 4) == "lane-stopped", "another gateway's lane was covered"
        mine = batches.span(1, 3, GATEWAY.address)
        batches.submit(inbox.contract, batches.segment(mine, project=PROJECT))
        await gateway.watch.look()
        assert await send(gateway, 4) == "taken"
