"""Storage proofs out of Layer 1, in the form that bundles carry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from opendepin.chain.storage import ContractProof, slot_key, verify_contract_proof
from opendepin.core.draw import Member
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import DepinError
from opendepin.core.task import Task
from opendepin.explorer.errors import SourceAway
from opendepin.network.parts import Parts
from opendepin.verify import layer1
from opendepin.verify.draw import snapshot_slot

WHAT = re.compile(
    r"header_hash\((?P<header>\d+)\)|inbox_block\((?P<accepted>\d+)\)"
    r"|segment_hash\((?P<batch>\d+),(?P<segment>\d+)\)"
    r"|history\((?P<device>0x[0-9a-f]{40})\)"
    r"|result\((?P<task>0x[0-9a-f]{64})\)\.(?P<member>outputs_hash|pay_root|producer|origin|seed)"
    r"|snapshots\((?P<version>\d+)\)"
)


class ProofSource:
    """Storage proofs under the newest block, in the bundle's form."""

    def __init__(self, built: Parts) -> None:
        self._parts = built

    async def prove(self, wanted: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """Prove `(contract, what)` pairs; None when there is nothing to prove."""
        slots: dict[str, dict[int, str]] = {}
        for contract, what in wanted:
            slots.setdefault(contract, {})[self._slot(contract, what)] = what
        if not slots:
            return None
        addresses = {name: self._parts.genesis.address(name) for name in slots}
        asked = {addresses[name]: sorted(found) for name, found in slots.items()}
        try:
            state = await self._parts.chain.prove(asked)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        header = state.header
        by_address = {proof.address: proof for proof in state.contracts}
        return {
            "block": {
                "number": header.number,
                "hash": to_hex(header.hash),
                "header": to_hex(header.rlp),
            },
            "proofs": [
                _proof_json(name, by_address[addresses[name]], found, header.state_root)
                for name, found in slots.items()
            ],
        }

    async def draw(self, task: str) -> Mapping[str, Any]:
        """Return what a task's last draw is recomputed from; claims, like all of a bundle."""
        settlement = self._parts.contract("Settlement")
        operators = self._parts.contract("Operators")
        asked = settlement.call("task", from_hex(task, 32), returns=Task)
        try:
            found = await self._parts.chain.call(asked)
            call = operators.call("members", found.operators_version, returns=list[Member])
            members = await self._parts.chain.call(call)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        return {
            "version": found.operators_version,
            "opened_block": found.opened_block,
            "seed": to_hex(found.seed),
            "attempt": found.attempt,
            "members": [
                {"operator": to_hex(each.operator), "weight": str(each.weight)} for each in members
            ],
        }

    def _slot(self, contract: str, what: str) -> int:
        layout = self._parts.compiled[contract].layout
        found = WHAT.fullmatch(what)
        if found is None:
            raise SourceAway(f"nothing called {what!r} is kept on L1")
        if found["header"]:
            return layer1.header_hash_slot(layout, int(found["header"]))
        if found["accepted"]:
            return layer1.inbox_block_slot(layout, int(found["accepted"]))
        if found["batch"]:
            return layer1.segment_hash_slot(layout, int(found["batch"]), int(found["segment"]))
        if found["version"]:
            return snapshot_slot(layout, int(found["version"]))
        if found["device"]:
            return layer1.history_slot(layout, from_hex(found["device"], 20))
        return layer1.task_slot(layout, from_hex(found["task"], 32), found["member"])


def _proof_json(
    name: str, proof: ContractProof, names: Mapping[int, str], state_root: bytes
) -> dict[str, Any]:
    proven = verify_contract_proof(state_root, proof)
    return {
        "contract": name,
        "address": to_hex(proof.address),
        "nonce": proven.account.nonce,
        "balance": str(proven.account.balance),
        "storage_hash": to_hex(proven.account.storage_root),
        "code_hash": to_hex(proven.account.code_hash),
        "account_proof": [to_hex(node) for node in proof.account_nodes],
        "storage": [
            {
                "what": names[slot.slot],
                "key": to_hex(slot_key(slot.slot)),
                "value": to_hex(proven.values[slot.slot]),
                "proof": [to_hex(node) for node in slot.nodes],
            }
            for slot in proof.slots
        ],
    }
