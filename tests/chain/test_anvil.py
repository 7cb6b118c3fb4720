"""The embedded L1 goes on after every death, keeps what is final, and says what it cannot do."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from opendepin.chain import storage
from opendepin.chain.adapters.anvil import LABEL, AnvilConfig, AnvilEngine
from opendepin.chain.adapters.copies import Copies
from opendepin.chain.artifacts import Artifact
from opendepin.chain.errors import EngineFailed, EngineMissing, NodeAway
from opendepin.chain.header import Header
from opendepin.chain.ports import ExecutionEngine
from opendepin.chain.program import check_version, find_anvil
from opendepin.runtime import processes
from opendepin.runtime.clock import SystemClock

from .conftest import FUNDED, QUIET, ROOT, Node, start_node

pytestmark = pytest.mark.asyncio(loop_scope="session")

HISTORY = bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935")
"""The contract of EIP-2935, which holds recent block hashes."""


async def headers(node: Node) -> list[Header]:
    found = [await node.client.block(at) for at in range(await node.client.block_number() + 1)]
    return [header for header in found if header is not None]


async def final_at_least(node: Node, height: int) -> None:
    while (await node.client.finalized()).height < height:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


@pytest.mark.serial
async def test_a_kill_loses_nothing_final_and_the_chain_goes_on(
    node: Node, register: Artifact, tmp_path: Path
) -> None:
    own = await start_node(tmp_path / "l1")
    contract = register.interface.at(await own.deploy(register, 5))
    receipt = await own.mined(
        await own.send(FUNDED[0], contract.address, contract.data("write", 1, 7, bytes(32)))
    )
    await final_at_least(own, receipt.block)
    for _ in range(4):
        final, before = await own.client.finalized(), await headers(own)
        await own.rollback()
        after = await headers(own)
        assert [h.hash for h in after[: final.height + 1]] == [
            h.hash for h in before[: final.height + 1]
        ]
        assert (await own.client.finalized()).height >= final.height
        await own.blocks(2)
    chain = await headers(own)
    assert all(one.hash == other.parent for one, other in pairwise(chain))
    assert all(one.time <= other.time for one, other in pairwise(chain))
    assert await own.client.call(contract.call("values", 1, returns=int)) == 7
    assert len(await own.client.logs([contract.address], 0, chain[-1].number)) == 1
    assert await own.client.receipt(receipt.transaction) == receipt
    assert await own.client.balance(FUNDED[19].address) == 1_000_000 * 10**18
    await own.close()


@pytest.mark.serial
async def test_a_stop_and_a_start_lose_nothing(tmp_path: Path, register: Artifact) -> None:
    own = await start_node(tmp_path / "l1", chain_id=4_242)
    address = await own.deploy(register, 5)
    await own.blocks(2)
    head, genesis = await own.client.block_number(), await own.client.block(0)
    await own.close()
    again = await start_node(tmp_path / "l1", chain_id=4_242)
    assert await again.client.block_number() >= head
    assert await again.client.block(0) == genesis
    assert await again.client.chain_id() == 4_242
    proof = await again.client.prove({address: [storage.slot_of(register.layout, "fixed")]})
    assert list(
        storage.verify_contract_proof(proof.header.state_root, proof.contracts[0]).values.values()
    ) == [(5).to_bytes(32, "big")]
    await again.close()


@pytest.mark.serial
async def test_block_hashes_inside_the_evm_are_right_after_a_restore_by_eip_2935_alone(
    fresh: Node, register: Artifact
) -> None:
    """The reason why contracts read hashes from the history contract and not by BLOCKHASH."""
    contract = register.interface.at(await fresh.deploy(register, 5))
    await fresh.blocks(2)
    await fresh.engine.keep()
    await fresh.rollback()
    await fresh.blocks(2)
    first = await fresh.client.block(1)
    assert first is not None
    assert await fresh.client.storage_at(HISTORY, 1) == first.hash
    told = await fresh.rpc.call(
        "eth_call", {"to": "0x" + HISTORY.hex(), "data": "0x" + f"{1:064x}"}, "latest"
    )
    assert told == "0x" + first.hash.hex()
    head = await fresh.client.block_number()
    for height in range(1, head):
        header = await fresh.client.block(height)
        assert header is not None
        by_history = contract.call("history_hash", height, returns=bytes)
        assert await fresh.client.call(by_history) == header.hash
    by_opcode = await fresh.client.call(contract.call("hash_of", 1, returns=bytes))
    assert by_opcode != first.hash  # should this ever fail, the engine was mended


@pytest.mark.serial
async def test_a_rotten_newest_copy_costs_nothing_final(tmp_path: Path) -> None:
    own = await start_node(tmp_path / "l1", hurry=True)
    await final_at_least(own, 4)
    final = await own.client.finalized()
    hashes = [header.hash for header in await headers(own)]
    await own.close()
    copies = sorted((tmp_path / "l1").glob("state-*.gz"))
    assert len(copies) == 2
    data = bytearray(copies[-1].read_bytes())
    data[len(data) // 2] ^= 0x40
    copies[-1].write_bytes(bytes(data))
    again = await start_node(tmp_path / "l1")
    assert (await again.client.finalized()).height >= final.height
    kept = [header.hash for header in await headers(again)]
    assert kept[: final.height + 1] == hashes[: final.height + 1]
    assert [path.name for path in (tmp_path / "l1").glob("*.rotten")] == [
        copies[-1].name + ".rotten"
    ]
    await again.close()


def swap_block(state: dict[str, Any]) -> None:
    state["blocks"][-1]["header"]["gasUsed"] = "0x1"


def swap_balance(state: dict[str, Any]) -> None:
    next(iter(state["accounts"].values()))["balance"] = "0x123456"


@pytest.mark.serial
@pytest.mark.parametrize("change", [swap_block, swap_balance])
async def test_a_copy_that_parses_but_lies_is_set_aside(tmp_path: Path, change: Any) -> None:
    own = await start_node(tmp_path / "l1")
    await own.blocks(3)
    await own.close()
    newest = sorted((tmp_path / "l1").glob("state-*.gz"))[-1]
    state = json.loads(gzip.decompress(newest.read_bytes()))
    state["blocks"].sort(key=lambda block: int(block["header"]["number"], 16))
    change(state)
    newest.write_bytes(gzip.compress(json.dumps(state).encode()))
    again = await start_node(tmp_path / "l1")
    assert newest.with_name(newest.name + ".rotten").exists()
    await again.blocks(1)
    await again.close()


@pytest.mark.serial
async def test_a_home_without_a_good_copy_refuses_to_begin_anew(tmp_path: Path) -> None:
    own = await start_node(tmp_path / "l1")
    await own.blocks(2)
    await own.close()
    for path in (tmp_path / "l1").glob("state-*.gz"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EngineFailed, match="no copy of its state is good"):
        await start_node(tmp_path / "l1")
    assert len(list((tmp_path / "l1").glob("*.rotten"))) == 2
    with pytest.raises(EngineFailed):
        await start_node(tmp_path / "l1")


@pytest.mark.serial
async def test_a_start_that_died_before_its_first_copy_begins_the_same_chain(
    tmp_path: Path,
) -> None:
    own = await start_node(tmp_path / "l1")
    genesis = await own.client.block(0)
    await own.close()
    for path in [*(tmp_path / "l1").glob("state-*"), tmp_path / "l1" / "started"]:
        path.unlink()
    again = await start_node(tmp_path / "l1")
    assert await again.client.block(0) == genesis
    await again.close()


@pytest.mark.serial
async def test_the_engine_dies_with_its_parent_and_two_networks_live_side_by_side(
    node: Node, tmp_path: Path
) -> None:
    other = await start_node(tmp_path / "l1", chain_id=1_234)
    assert (await node.client.chain_id(), await other.client.chain_id()) == (7_700_077, 1_234)
    assert node.engine.rpc_url != other.engine.rpc_url
    pid = other.engine.pid
    assert pid is not None
    await other.close()
    assert not processes.alive(pid)
    assert not other.engine.serving
    with pytest.raises(NodeAway):
        await other.engine.finalized_head()


async def test_no_unlocked_account_exists_even_inside(node: Node) -> None:
    assert await node.cheat("eth_accounts") == []


async def test_the_port_says_what_the_engine_can_do(node: Node) -> None:
    engine: ExecutionEngine = node.engine
    able = engine.capabilities
    assert (able.bft_finality, able.historical_proofs, able.label) == (False, False, LABEL)
    assert await engine.head() >= (await engine.finalized_head()).height


async def test_a_missing_program_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing, match="make setup"):
        find_anvil([tmp_path])
    assert find_anvil([ROOT / "src" / "opendepin"]).name == "anvil"
    on_path = tmp_path / "anvil"
    on_path.write_text("#!/bin/sh\n")
    on_path.chmod(0o755)
    assert find_anvil([tmp_path]) == on_path


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("#!/bin/sh\necho anvil Version: 1.7.0\n", "engine-version"),
        ("#!/bin/sh\necho anvil Version: 11.7.1\n", "engine-version"),
        ("#!/bin/sh\n", "engine-version"),
        ("no program", "engine-broken"),
    ],
)
async def test_another_version_is_refused(
    node: Node, tmp_path: Path, script: str, code: str
) -> None:
    program = tmp_path / "anvil"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(EngineMissing) as refused:
        await check_version(program)
    assert refused.value.code == code
    engine = AnvilEngine(
        AnvilConfig(tmp_path / "l1", 1, {}, binary=program), node.posting, SystemClock(), QUIET
    )
    with pytest.raises(EngineMissing):
        await engine.start()


async def test_a_program_that_dies_at_once_is_said_so(node: Node, tmp_path: Path) -> None:
    program = tmp_path / "anvil"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo anvil Version: 1.7.1 && exit\n'
        "echo no luck >&2\nexit 3\n"
    )
    program.chmod(0o755)
    config = AnvilConfig(tmp_path / "l1", 1, {}, binary=program)
    with pytest.raises(EngineFailed, match="exit code 3"):
        await AnvilEngine(config, node.posting, SystemClock(), QUIET).start()


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        b"{}",
        b'{"block":{"number":"0x5"},"best_block_number":4}',
        b'{"block":{"number":"zz"},"best_block_number":4}',
        b'{"block":{"number":5},"best_block_number":5}',
        b'{"best_block_number":5}',
    ],
)
async def test_dumps_of_another_form_are_no_copies(tmp_path: Path, state: bytes) -> None:
    copies = Copies(tmp_path)
    packed = gzip.compress(state)
    for dump in (packed, packed[:-1], packed[:-6] + bytes(6), state):
        with pytest.raises(EngineFailed):
            copies.height_of(dump)


async def test_two_copies_are_kept_newest_first(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    for height in (1, 2, 3, 10):
        dump = gzip.compress(
            json.dumps({"block": {"number": hex(height)}, "best_block_number": height}).encode()
        )
        kept = copies.keep(dump, height, bytes([height]) * 32)
        assert kept == copies.keep(dump, height, bytes([height]) * 32)
    assert [copy.height for copy in kept] == [10, 3]
    assert [copy.height for copy in Copies(tmp_path).good()] == [10, 3]
    names = [copy.path.name for copy in reversed(kept)]
    assert sorted(os.listdir(tmp_path)) == names  # noqa: PTH208
    kept[0].path.rename(kept[0].path.with_name(kept[0].path.name.replace("10", "11")))
    assert [copy.height for copy in Copies(tmp_path).good()] == [3]


class LateClock(SystemClock):
    """A machine whose clock was set back by an hour."""

    def now_s(self) -> int:
        return super().now_s() - 3_600


@pytest.mark.serial
async def test_block_times_do_not_go_back_with_the_machine_s_clock(tmp_path: Path) -> None:
    own = await start_node(tmp_path / "l1")
    await own.blocks(2)
    own.engine.clock = LateClock()  # as if now were an hour before the newest block
    await own.rollback()
    await own.blocks(3)
    chain = await headers(own)
    assert all(one.time <= other.time for one, other in pairwise(chain))
    assert chain[-1].time >= chain[0].time + 3_500
    await own.close()
