"""Storage proven under real headers: every kind of slot, and every altered byte refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opendepin.chain import rlp, storage
from opendepin.chain.artifacts import Artifact
from opendepin.chain.errors import HeaderRejected, NodeFault, StateProofRejected
from opendepin.chain.header import FIELDS, LATER_FIELDS, decode_header, header_of_json
from opendepin.core.encodings import keccak256

from .conftest import Node, spare_key

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAG = keccak256(b"tag")


async def test_every_kind_of_slot_is_where_the_compiler_put_it(
    node: Node, register: Artifact
) -> None:
    contract = register.interface.at(await node.deploy(register, 41))
    key = spare_key()
    data = contract.data("write", 3, 99, TAG)
    await node.mined(await node.send(key, contract.address, data))
    at = {
        name: storage.slot_of(register.layout, name)
        for name in ("total", "values", "nested", "rows", "fixed")
    }
    row = storage.map_slot(at["rows"], 3)
    due = {
        at["total"]: 1,
        storage.map_slot(at["values"], 3): 99,
        storage.map_slot(storage.map_slot(at["nested"], key.address), TAG): 99,
        row: int.from_bytes(key.address, "big"),
        storage.member_slot(row, 1): 99,
        storage.member_slot(row, 2): int.from_bytes(TAG, "big"),
        storage.member_slot(at["fixed"], 2): 43,
        storage.map_slot(at["values"], 4): 0,
    }
    proof = await node.client.prove({contract.address: list(due)})
    header = await node.client.block(proof.header.number)
    assert header == proof.header
    shown = storage.verify_contract_proof(proof.header.state_root, proof.contracts[0])
    assert {slot: int.from_bytes(value, "big") for slot, value in shown.values.items()} == due
    assert shown.account.code_hash == keccak256(await node.client.code(contract.address))
    for slot, value in shown.values.items():
        assert await node.client.storage_at(contract.address, slot) == value


async def test_several_contracts_stand_under_one_block(node: Node, register: Artifact) -> None:
    one, two = await node.deploy(register, 1), await node.deploy(register, 2)
    fixed = storage.slot_of(register.layout, "fixed")
    proof = await node.client.prove({one: [fixed], two: [fixed], bytes(19) + b"\x77": []})
    values = [
        storage.verify_contract_proof(proof.header.state_root, each).values.get(fixed)
        for each in proof.contracts[:2]
    ]
    assert values == [(1).to_bytes(32, "big"), (2).to_bytes(32, "big")]
    absent = storage.verify_contract_proof(proof.header.state_root, proof.contracts[2])
    assert absent.account == storage.NO_ACCOUNT


async def test_every_altered_byte_is_refused(node: Node, register: Artifact) -> None:
    address = await node.deploy(register, 41)
    fixed = storage.slot_of(register.layout, "fixed")
    proof = await node.client.prove({address: [fixed]})
    root, contract = proof.header.state_root, proof.contracts[0]
    account, slot = contract.account_nodes, contract.slots[0].nodes

    def verify(**changed: Any) -> bytes:
        given = {
            "root": root,
            "address": address,
            "slot": fixed,
            "account": account,
            "nodes": slot,
            **changed,
        }
        return storage.verify_storage_proof(*given.values())

    assert verify() == (41).to_bytes(32, "big")
    for name, nodes in (("account", account), ("nodes", slot)):
        for at, node_bytes in enumerate(nodes):
            for place in range(len(node_bytes)):
                bad = bytearray(node_bytes)
                bad[place] ^= 0x01
                with pytest.raises(StateProofRejected):
                    verify(**{name: (*nodes[:at], bytes(bad), *nodes[at + 1 :])})
    for place in range(32):
        with pytest.raises(StateProofRejected):
            verify(root=root[:place] + bytes([root[place] ^ 1]) + root[place + 1 :])
    for place in range(20):
        other = address[:place] + bytes([address[place] ^ 1]) + address[place + 1 :]
        with pytest.raises(StateProofRejected):
            verify(address=other)
    for other_slot in (fixed + 1, fixed + 2, 0):
        with pytest.raises(StateProofRejected):
            verify(slot=other_slot)
    for swapped in ({"account": slot}, {"nodes": account}, {"nodes": ()}, {"account": ()}):
        with pytest.raises(StateProofRejected):
            verify(**swapped)


async def test_headers_prove_themselves(node: Node) -> None:
    head = await node.client.block_number()
    for height in (0, 1, head):
        block = await node.rpc.call("eth_getBlockByNumber", hex(height), False)
        header = header_of_json(block)
        assert (header.number, "0x" + header.hash.hex()) == (height, block["hash"])
        assert decode_header(header.rlp) == header
        assert "0x" + header.state_root.hex() == block["stateRoot"]


async def test_every_altered_header_field_is_refused(node: Node) -> None:
    block = await node.rpc.call("eth_getBlockByNumber", "0x1", False)
    for name, kind, _ in FIELDS + LATER_FIELDS:
        text = block[name]
        other = (
            hex(int(text, 16) + 1)
            if kind == "int"
            else text[:-1] + ("1" if text[-1] == "0" else "0")
        )
        other = "0x01" if text == "0x" else other
        for wrong in (other, None, 5, "zz", text + "11" * 40):
            with pytest.raises(HeaderRejected):
                header_of_json({**block, name: wrong})
    with pytest.raises(HeaderRejected):
        header_of_json({**block, "hash": "0x" + "00" * 32})
    missing_last = {key: value for key, value in block.items() if key != "requestsHash"}
    with pytest.raises(HeaderRejected):
        header_of_json(missing_last)


async def test_header_bytes_of_another_form_are_refused(node: Node) -> None:
    header = await node.client.block(1)
    assert header is not None
    items = rlp.decode_list(header.rlp)
    for wrong in (
        items[:14],
        [*items, b"\x01"],
        [items[0][:31], *items[1:]],
        [[items[0]], *items[1:]],
        [*items[:8], b"\x00", *items[9:]],
        [*items[:8], b"\x01" * 9, *items[9:]],
        [*items[:12], b"x" * 33, *items[13:]],
    ):
        with pytest.raises(HeaderRejected):
            decode_header(rlp.encode(wrong))
    for data in (b"", header.rlp[:-1], header.rlp + b"\x00"):
        with pytest.raises(HeaderRejected):
            decode_header(data)
    london = decode_header(rlp.encode(items[:16]))
    assert london.base_fee == header.base_fee
    assert decode_header(rlp.encode(items[:15])).base_fee == 0


async def test_a_lying_node_is_caught(node: Node, register: Artifact) -> None:
    address = await node.deploy(register, 41)
    fixed = storage.slot_of(register.layout, "fixed")

    class Lying:
        def __init__(self, change: Any) -> None:
            self.change = change

        async def batch(self, calls: Any) -> Any:
            answers = await node.rpc.batch(calls)
            self.change(answers)
            return answers

    def other_proof(answers: Any) -> None:
        nodes = answers[1]["accountProof"]
        nodes[0] = nodes[0][:-1] + ("0" if nodes[0][-1] != "0" else "1")

    def no_slots(answers: Any) -> None:
        answers[1]["storageProof"] = []

    def other_state(answers: Any) -> None:
        answers[0]["stateRoot"] = "0x" + "11" * 32

    client = node.client
    for change, error in (
        (other_proof, StateProofRejected),
        (no_slots, NodeFault),
        (other_state, HeaderRejected),
    ):
        lying = type(client)(Lying(change))  # type: ignore[arg-type]
        with pytest.raises(error):
            await lying.prove({address: [fixed]})


async def test_frozen_proofs_compare_by_value(node: Node, register: Artifact) -> None:
    address = await node.deploy(register, 41)
    proof = await node.client.prove({address: [0]})
    assert replace(proof) == proof
