"""The stored seed is the true hash of its block, also when the engine died before the draw."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from opendepin.chain.artifacts import Artifact, ensure
from opendepin.core.draw import Member, drawn
from opendepin.core.statement import seed_height
from opendepin.core.task import Task, TaskState
from tests.chain.conftest import CACHE, CONTRACTS, start_node
from tests.dims.settlement.ground import SUBMITTER, Ground, lay, until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
    pytest.mark.serial,
]
DRAW_DELAY = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    home: Path = tmp_path_factory.mktemp("seeds")
    node = await start_node(home / "l1")
    yield await lay(node, home)
    await node.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def register() -> Artifact:
    """A contract that tells a block's hash by the opcode."""
    return (await ensure([str(CONTRACTS / "Register.vy")], CACHE))["Register"]


async def opened(ground: Ground) -> tuple[bytes, int]:
    """Open a task; return its id and the height of its seed, once that block is final."""
    number = await ground.batch(3)
    segment = ground.stores.batches[number][1][0]
    receipt = await ground.send(SUBMITTER, "Settlement", "open", number, 0, segment)
    height = seed_height(receipt.block, DRAW_DELAY, receipt.block + DRAW_DELAY + 1)
    assert height is not None

    async def is_final() -> bool:
        return (await ground.node.client.finalized()).height >= height

    await until(is_final)
    return await ground.read("Settlement", "task_at", number, 0, returns=bytes), height


async def check_draw(ground: Ground, task_id: bytes, height: int) -> None:
    """Draw, and hold seed and operator against the chain's own header."""
    await ground.send(SUBMITTER, "Settlement", "assign", task_id)
    task = await ground.read("Settlement", "task", task_id, returns=Task)
    header = await ground.node.client.block(height)
    assert header is not None
    assert (task.state, task.seed) == (TaskState.ASSIGNED, header.hash)
    version = task.operators_version
    members = await ground.read("Operators", "members", version, returns=list[Member])
    assert task.assignee == drawn(task_id, header.hash, 0, members)


async def test_the_seed_is_the_hash_of_its_block(ground: Ground) -> None:
    await check_draw(ground, *await opened(ground))


async def test_the_seed_is_the_hash_of_its_block_after_a_kill_before_the_draw(
    ground: Ground, register: Artifact
) -> None:
    opcode = register.interface.at(await ground.node.deploy(register, 5))
    task_id, height = await opened(ground)
    before = await ground.node.client.block(height)
    assert before is not None
    await ground.node.rollback()
    await ground.node.blocks(2)
    told = await ground.node.client.call(opcode.call("hash_of", height, returns=bytes))
    assert told != before.hash  # the trap that the seed must not fall into
    await check_draw(ground, task_id, height)
    assert await ground.node.client.block(height) == before
