from __future__ import annotations

from dataclasses import dataclass

import pytest

from opendepin.chain.artifacts import Artifact
from opendepin.chain.errors import BindingRejected, NodeFault, Reverted

from .conftest import FUNDED, Node, spare_key

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Row:
    owner: bytes
    amount: int
    tag: bytes


@dataclass(frozen=True)
class Pair:
    left: int
    right: int


@dataclass(frozen=True)
class Written:
    writer: bytes
    key: int
    amount: int
    tag: bytes


@dataclass(frozen=True)
class Listed:
    pairs: tuple[Pair, ...]
    note: str


TAG = bytes(range(32))


async def test_a_write_is_read_back_in_our_types(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 5))
    key = spare_key()
    receipt = await node.mined(
        await node.send(key, contract.address, contract.data("write", 3, 99, TAG))
    )
    assert receipt.succeeded
    assert await node.client.call(contract.call("values", 3, returns=int)) == 99
    assert await node.client.call(contract.call("rows", 3, returns=Row)) == Row(
        key.address, 99, TAG
    )
    assert await node.client.call(contract.call("both", 3, returns=tuple)) == (99, key.address)
    assert await node.client.call(contract.call("pairs", 2, returns=list[Pair])) == [
        Pair(0, 0),
        Pair(1, 2),
    ]
    written = contract.event(Written)
    logs = await node.client.logs([contract.address], 0, receipt.block, [written.topic])
    assert [written.decode(log.topics, log.data) for log in logs] == [
        Written(key.address, 3, 99, TAG)
    ]
    assert logs[0].transaction == receipt.transaction
    assert await node.client.logs([contract.address], receipt.block + 1, receipt.block + 5) == []


async def test_structs_go_in_and_come_out_of_events(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 5))
    data = contract.data("enumerate", [Pair(1, 2), Pair(2**255, 2**64 - 1)], "noted")
    receipt = await node.mined(await node.send(spare_key(), contract.address, data))
    listed = contract.event(Listed)
    found = [listed.decode(log.topics, log.data) for log in receipt.logs]
    assert found == [Listed((Pair(1, 2), Pair(2**255, 2**64 - 1)), "noted")]


async def test_a_refusal_names_the_contract_s_reason(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 5))
    data = contract.data("write", 1, 13, TAG)
    with pytest.raises(Reverted) as refused:
        await node.client.estimate(FUNDED[0].address, contract.address, 0, data)
    assert refused.value.reason == "unlucky"
    with pytest.raises(Reverted) as silent:
        await node.client.estimate(
            FUNDED[0].address, contract.address, 0, contract.data("write", 1, 14, TAG)
        )
    assert silent.value.reason == "no reason given"
    with pytest.raises(Reverted):
        await node.client.call(contract.call("fixed", 3, returns=int))
    assert await node.client.call(contract.call("fixed", 2, returns=int)) == 7


async def test_no_contract_is_said_so(node: Node, register: Artifact) -> None:
    nowhere = register.interface.at(bytes(19) + b"\x99")
    with pytest.raises(NodeFault, match="is a contract at"):
        await node.client.call(nowhere.call("total", returns=int))


async def test_bindings_are_checked_against_the_abi(register: Artifact) -> None:
    contract = register.interface.at(bytes(20))

    @dataclass(frozen=True)
    class Other:
        owner: bytes
        amount: int

    @dataclass(frozen=True)
    class Wrong:
        owner: str
        amount: int
        tag: bytes

    for returns in (Other, Wrong, int, list[int]):
        with pytest.raises(BindingRejected):
            contract.call("rows", 3, returns=returns)
    for arguments in ((), (1, 2), ("x",), (-1,), (2**256,)):
        with pytest.raises(BindingRejected):
            contract.call("values", *arguments, returns=int)
    with pytest.raises(BindingRejected):
        contract.event(Other, "Written")
    with pytest.raises(BindingRejected):
        contract.event(Written, "Gone")
    with pytest.raises(BindingRejected):
        contract.call("absent", returns=int)
