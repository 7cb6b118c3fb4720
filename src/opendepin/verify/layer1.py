"""Steps that hold the recomputed hashes against Layer 1's state, under one trusted block hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.chain.header import Header, decode_header
from opendepin.chain.storage import (
    map_slot,
    member_slot,
    slot_key,
    slot_of,
    verify_account_proof,
    verify_slot_proof,
)
from opendepin.core.identity import accumulate
from opendepin.core.statement import outputs_hash
from opendepin.verify import form
from opendepin.verify.context import Context, agree, text
from opendepin.verify.errors import NotReached, StepFailed
from opendepin.verify.order import same_network
from opendepin.verify.steps import Found

TASK_MEMBERS = {"origin": 3, "producer": 4, "seed": 5, "outputs_hash": 6, "pay_root": 7}
"""Offset of a stored task's members that are proven (`contracts/modules/task_records.vy`); the
producer shares its slot with state, attempt and deadline. Program and segment are bound by the
task's id.
"""

STATE_SETTLED = 3
STATE_SHIFT, STATE_MASK = 248, 7
BLOCK_SHIFT, BLOCK_MASK = 200, (1 << 40) - 1
CALLBACK_BIT = 251
PRODUCER_MASK = (1 << 160) - 1

Layout = Mapping[str, Any]
"""A contract's storage layout, as the compiler writes it."""

Slots = Mapping[int, str]
"""Slot → what stands there, as `docs/spec/bundle.md` names it."""


def task_layout(layout: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the layout of the module that keeps tasks inside the settlement contract's layout."""
    return layout.get("task_records", layout)


def header_hash_slot(layout: Mapping[str, Any], number: int) -> int:
    """Return the inbox's slot of a batch's header hash."""
    return map_slot(slot_of(layout, "header_hash"), number)


def segment_hash_slot(layout: Mapping[str, Any], number: int, index: int) -> int:
    """Return the inbox's slot of a segment's hash."""
    return map_slot(map_slot(slot_of(layout, "segment_hash"), number), index)


def inbox_block_slot(layout: Mapping[str, Any], number: int) -> int:
    """Return the inbox's slot of the block in which a batch was accepted."""
    return map_slot(slot_of(layout, "inbox_block"), number)


def history_slot(layout: Mapping[str, Any], device: bytes) -> int:
    """Return the registry's slot of a device's key-history accumulator."""
    return map_slot(slot_of(layout, "history"), int.from_bytes(device, "big"))


def task_slot(layout: Mapping[str, Any], task: bytes, member: str) -> int:
    """Return the settlement contract's slot of one member of a task."""
    start = map_slot(slot_of(task_layout(layout), "tasks"), task)
    return member_slot(start, TASK_MEMBERS[member])


def l1_block(c: Context) -> Found:
    """Hash the block header; compare with the trusted hash."""
    claimed, header = bytes(c.bundle.network.genesis_hash), _header(c)
    agree(claimed, c.anchor.genesis_hash, "the bundle is of a chain with another first block")
    pair = agree(header.hash, _trusted(c), "the header is not that of the trusted block")
    block = c.bundle.l1.block if c.bundle.l1 is not None else None
    if block is not None:
        agree(header.hash, bytes(block.hash), "the header hashes to another value")
        agree(header.number, block.number, "the header is of another height")
    return Found(*pair, f"your trusted hash of block {header.number}")


def key_history(c: Context) -> Found:
    """Fold every device's history; compare with what the registry holds in the trusted block."""
    for history in c.bundle.histories:
        found = accumulate(c.history(bytes(history.device)))
        why = f"the key history of {text(bytes(history.device))} gives another accumulator"
        agree(found, bytes(history.accumulator), why)
    header = trusted_header(c)
    values = proven(c, header, "Devices", history_slots(c))
    for device in c.histories:
        value = values[history_slot(c.anchor.layouts["Devices"], device)]
        why = f"the registry holds another key history of {text(device)}"
        agree(accumulate(c.history(device)), value, why)
    judged_at = 0 if c.bundle.receipt is None else c.receipt.header.identity_block
    if judged_at > header.number:
        why = "the histories are proven at a block before the identity block they are judged at"
        raise StepFailed(why, computed=str(header.number), expected=f"at least {judged_at}")
    count = f"{len(c.histories)} accumulators"
    return Found(count, count, f"Devices.history in block {header.number}")


def include_by(c: Context) -> Found:
    """Hold the block in which the inbox took the batch against what the gateway signed: the
    receipt, or every group of a task's segment.
    """
    number, header = c.batch.header.number, trusted_header(c)
    if c.bundle.message is not None:
        due = c.receipt.header.include_by_block
    else:
        due = min(group.header.include_by_block for group in c.body.groups)
    slot = inbox_block_slot(c.anchor.layouts["BatchInbox"], number)
    value = proven(c, header, "BatchInbox", {slot: f"inbox_block({number})"})[slot]
    block = int.from_bytes(value, "big")
    agree(block, c.batch.inbox_block, "the inbox took the batch in another block")
    if block == 0:
        raise StepFailed("the inbox took no such batch", computed="0", expected=f"by block {due}")
    late = "" if block <= due else f"{block - due} blocks late: evidence of a promise not kept"
    source = f"BatchInbox.inbox_block in block {header.number}"
    return Found(f"block {block}", f"by block {due}", source, late)


def l1_storage(c: Context) -> Found:
    """Prove every slot that this trail needs, and compare with what was recomputed."""
    same_network(c)
    for name, address in c.bundle.network.contracts.items():
        expected = c.anchor.contracts.get(name, b"")
        agree(bytes(address), expected, f"the bundle names another contract {name}")
    header, count = trusted_header(c), 0
    for contract, expected in _expected(c).items():
        slots = {slot: what for slot, (what, _) in expected.items()}
        values = proven(c, header, contract, slots | _duty_slots(c, contract))
        for slot, (what, value) in expected.items():
            agree(values[slot], value, f"{contract}.{what} holds another value on L1")
        if contract == "Settlement":
            _check_duty(c, values)
        count += len(values)
    said = f"{count} slots"
    return Found(said, said, f"state root {text(header.state_root)}")


def _trusted(c: Context) -> bytes:
    if c.anchor.block_hash is None:
        raise NotReached("no L1 block hash was given to trust")
    return c.anchor.block_hash


def _header(c: Context) -> Header:
    if c.bundle.l1 is None:
        raise NotReached("nothing of this trail is proven on L1 yet")
    return decode_header(bytes(c.bundle.l1.block.header))


def trusted_header(c: Context) -> Header:
    """Return the header of the one trusted block.

    Raises:
        NotReached: no block hash was brought, or the bundle proves nothing.
        StepFailed: the bundle's header is another.
    """
    header = _header(c)
    agree(header.hash, _trusted(c), "the header is not that of the trusted block")
    return header


def history_slots(c: Context) -> dict[int, str]:
    """Return the registry's slots of every history in the bundle."""
    layout = c.anchor.layouts["Devices"]
    return {history_slot(layout, device): f"history({text(device)})" for device in c.histories}


def _expected(c: Context) -> dict[str, dict[int, tuple[str, bytes]]]:
    """Contract → slot → (name, value recomputed here)."""
    devices = {
        slot: (what, accumulate(c.history(device)))
        for (slot, what), device in zip(history_slots(c).items(), c.histories, strict=True)
    }
    found = {"Devices": devices}
    if c.bundle.batch is not None:
        number, index = c.batch.header.number, c.batch.segment_index
        inbox = c.anchor.layouts["BatchInbox"]
        header, segment = c.batch.header.value().hash(), c.segment.value().hash()
        found["BatchInbox"] = {
            header_hash_slot(inbox, number): (f"header_hash({number})", header),
            segment_hash_slot(inbox, number, index): (f"segment_hash({number},{index})", segment),
        }
    if c.bundle.task is not None:
        found["Settlement"] = _expected_task(c, c.bundle.task)
    return found


def _expected_task(c: Context, task: form.Task) -> dict[int, tuple[str, bytes]]:
    members = {
        "outputs_hash": outputs_hash(task.outputs),
        "pay_root": bytes(task.result.pay_root),
    }
    layout = c.anchor.layouts["Settlement"]
    return {
        task_slot(layout, c.task_id, member): (f"result({text(c.task_id)}).{member}", value)
        for member, value in members.items()
    }


def _duty_slots(c: Context, contract: str) -> dict[int, str]:
    if contract != "Settlement":
        return {}
    slot = task_slot(c.anchor.layouts[contract], c.task_id, "producer")
    return {slot: f"result({text(c.task_id)}).producer"}


def _check_duty(c: Context, values: Mapping[int, bytes]) -> None:
    """Check that the task stands as settled, by the stated producer, as the result says."""
    slot = task_slot(c.anchor.layouts["Settlement"], c.task_id, "producer")
    duty, result = int.from_bytes(values[slot], "big"), c.task.result
    agree((duty >> STATE_SHIFT) & STATE_MASK, STATE_SETTLED, "the task is not settled on L1")
    producer = (duty & PRODUCER_MASK).to_bytes(20, "big")
    agree(producer, bytes(c.task.producer), "another operator stands as producer on L1")
    block = (duty >> BLOCK_SHIFT) & BLOCK_MASK
    agree(block, result.settled_block, "the task was settled in another block")
    called = duty >> CALLBACK_BIT & 1
    agree(called, int(result.callback_ok), "L1 says otherwise of the project's callback")


@dataclass(frozen=True)
class _Proof:
    """A contract's account, proven, with what the bundle shows of its storage."""

    storage_root: bytes
    entry: form.ContractForm


def proven(c: Context, header: Header, contract: str, slots: Slots) -> dict[int, bytes]:
    """Return the values of a contract's slots, proven under the header's state root.

    Raises:
        StepFailed: a proof is missing, or the bundle tells something else than it shows.
        StateProofRejected: a proof does not hold.
    """
    proof = _account(c, header, contract)
    by_key = {bytes(slot.key): slot for slot in proof.entry.storage}
    for key, slot in by_key.items():
        nodes = [bytes(node) for node in slot.proof]
        value = verify_slot_proof(proof.storage_root, int.from_bytes(key, "big"), nodes)
        agree(value, bytes(slot.value), f"{contract}.{slot.what[:80]} is told to be another value")
    found: dict[int, bytes] = {}
    for number, what in slots.items():
        entry = by_key.get(slot_key(number))
        if entry is None:
            raise StepFailed(f"the bundle does not prove {contract}.{what} (slot {number:#x})")
        agree(what, entry.what, f"a slot of {contract} is called by another name")
        found[number] = bytes(entry.value)
    return found


def _account(c: Context, header: Header, contract: str) -> _Proof:
    l1 = c.bundle.l1
    entry = next((p for p in l1.proofs if p.contract == contract), None) if l1 else None
    if entry is None:
        raise StepFailed(f"the bundle has no storage proof of {contract}")
    address = c.anchor.contracts[contract]
    agree(bytes(entry.address), address, f"the bundle proves another contract as {contract}")
    nodes = [bytes(node) for node in entry.account_proof]
    account = verify_account_proof(header.state_root, address, nodes)
    code = c.anchor.code_hashes.get(contract, account.code_hash)
    agree(account.code_hash, code, f"other code than the network's stands at {contract}")
    shown = (entry.nonce, int(entry.balance), bytes(entry.storage_hash), bytes(entry.code_hash))
    true = (account.nonce, account.balance, account.storage_root, account.code_hash)
    for name, left, right in zip(("nonce", "balance", "storage", "code"), true, shown, strict=True):
        agree(left, right, f"{contract} is told to have another {name}")
    return _Proof(account.storage_root, entry)


CHECKS: dict[str, Callable[[Context], Found]] = {
    "key-history": key_history,
    "include-by": include_by,
    "l1-block": l1_block,
    "l1-storage": l1_storage,
}
