from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from opendepin.chain import artifacts
from opendepin.chain.deploy import BOUND, ORDER, Parameters, deploy, genesis_alloc
from opendepin.chain.errors import ArtifactsMissing, DeployFailed, WrongCode
from opendepin.chain.genesis import Deployed, check_code, genesis_of_json
from opendepin.contracts import sources
from opendepin.core.errors import EncodingRejected
from opendepin.core.keys import Key
from opendepin.core.units import WEI_PER_TOKEN
from opendepin.runtime.clock import SystemClock

from .conftest import CACHE, CONTRACTS, FUNDED, QUIET, Node

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESERVE = 500_000 * WEI_PER_TOKEN
ATTESTERS = tuple(Key.from_seed(b"attester %d" % n).address for n in range(4))


def parameters(supply: int) -> Parameters:
    return Parameters(
        sequencer=FUNDED[1].address,
        attesters=ATTESTERS,
        threshold=3,
        gateways=(FUNDED[2].address,),
        treasury=FUNDED[3].address,
        authority=FUNDED[4].address,
        genesis_supply=supply,
        reserve=RESERVE,
        project_fee=100,
        device_fee=10,
        burn_bps=5_000,
        bond=10**15,
        exit_delay_s=60,
        epoch_s=30,
        miss_bps=500,
        max_identity_age=1_000,
        protocol_bps=1_000,
        draw_delay=2,
        window_s=60,
        data_chunks=16,
    )


async def test_the_network_is_deployed_once_whatever_dies(node: Node) -> None:
    key = FUNDED[15]
    made = await artifacts.ensure(ORDER, CACHE)
    asked = parameters(20_000_000 * WEI_PER_TOKEN)
    first = asyncio.ensure_future(deploy(node.client, key, made, asked, SystemClock(), QUIET))
    await asyncio.sleep(0.3)  # some are sent, none is final
    first.cancel()
    genesis = await deploy(node.client, key, made, asked, SystemClock(), QUIET)
    assert await deploy(node.client, key, made, asked, SystemClock(), QUIET) == genesis
    assert await node.client.nonce(key.address) == len(ORDER) + len(BOUND)
    await check_code(genesis, node.client)
    assert genesis_of_json(json.loads(json.dumps(genesis.to_json()))) == genesis

    book = {name: genesis.contract(name, CACHE) for name in ORDER}
    read = node.client.call
    assert await read(book["Escrow"].call("settlement", returns=bytes)) == genesis.address(
        "Settlement"
    )
    assert await read(book["Settlement"].call("escrow", returns=bytes)) == genesis.address("Escrow")
    assert await node.client.balance(genesis.address("Issuance")) == RESERVE
    assert (
        await read(book["Issuance"].call("supply", returns=int)) == asked.genesis_supply - RESERVE
    )

    other = Deployed(genesis.address("Burner"), genesis.contracts["Devices"].code_hash)
    for wrong in (
        replace(genesis, chain_id=1),
        replace(genesis, contracts={**genesis.contracts, "Burner": other}),
        replace(genesis, contracts={"Burner": Deployed(bytes(20), other.code_hash)}),
    ):
        with pytest.raises(WrongCode):
            await check_code(wrong, node.client)


async def test_a_refusing_constructor_is_named_with_its_reason(node: Node) -> None:
    made = await artifacts.ensure(ORDER, CACHE)
    asked = replace(parameters(20_000_000 * WEI_PER_TOKEN), threshold=5)
    with pytest.raises(DeployFailed, match="Attesters was not deployed: threshold"):
        await deploy(node.client, FUNDED[16], made, asked, SystemClock(), QUIET)


async def test_a_used_key_is_said_so(node: Node) -> None:
    await node.mined(await node.send(FUNDED[17], FUNDED[0].address, value=1))
    made = await artifacts.ensure(ORDER, CACHE)
    with pytest.raises(DeployFailed, match="Burner was not deployed"):
        await deploy(
            node.client,
            FUNDED[17],
            made,
            parameters(20_000_000 * WEI_PER_TOKEN),
            SystemClock(),
            QUIET,
        )


async def test_genesis_files_that_do_not_hold_are_refused(node: Node) -> None:
    made = await artifacts.ensure(ORDER, CACHE)
    asked = parameters(20_000_000 * WEI_PER_TOKEN)
    value = (await deploy(node.client, FUNDED[15], made, asked, SystemClock(), QUIET)).to_json()
    for changed in (
        {"form": "opendepin/genesis/2"},
        {"network_id": "0x" + "00" * 32},
        {"chain_id": 1},
        {"sequencer": "0x00"},
        {"contracts": {}},
        {"attesters": None},
        {"parameters": {"bond": "x"}},
    ):
        with pytest.raises(EncodingRejected):
            genesis_of_json({**value, **changed})
    for name in value:
        with pytest.raises(EncodingRejected):
            genesis_of_json({key: part for key, part in value.items() if key != name})


async def test_the_deployer_holds_reserve_and_gas_money() -> None:
    alloc = genesis_alloc({FUNDED[0].address: 5}, FUNDED[1].address, 7)
    assert alloc[FUNDED[0].address] == 5
    assert alloc[FUNDED[1].address] > 7


async def test_a_contract_that_does_not_compile_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "Bad.vy"
    bad.write_text("# pragma version ==0.4.3\nx: uint257\n")
    with pytest.raises(ArtifactsMissing, match="uint257"):
        await artifacts.ensure([str(bad)], tmp_path / "cache")


async def test_a_changed_source_gets_another_artifact(tmp_path: Path) -> None:
    source = tmp_path / "Register.vy"
    source.write_text((CONTRACTS / "Register.vy").read_text())
    before = sources.artifact_of(str(source), tmp_path)
    source.write_text(source.read_text() + "\n# changed\n")
    assert sources.artifact_of(str(source), tmp_path) != before
    with pytest.raises(ArtifactsMissing):
        artifacts.load(str(source), tmp_path)


async def test_two_compilers_at_once_leave_one_good_artifact(tmp_path: Path) -> None:
    name = str(CONTRACTS / "Register.vy")
    both = await asyncio.gather(*(artifacts.ensure([name], tmp_path / "cache") for _ in range(2)))
    assert both[0]["Register"].bytecode == both[1]["Register"].bytecode
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".json"]
    assert str(sources.ROOT) not in next((tmp_path / "cache").iterdir()).read_text()


async def test_every_contract_of_the_order_is_in_the_package() -> None:
    assert set(ORDER) <= set(sources.names())
