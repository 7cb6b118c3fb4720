"""Steps that hold the recomputed hashes against Layer 1's state, under one trusted block hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from opendepin.verify.context import Context, NotReached, agree, text
from opendepin.verify.errors import StepFailed
from opendepin.verify.steps import Found

TASK_MEMBERS = {
    "segment_root": 0,
    "field_root": 1,
    "program": 2,
    "duty": 4,
    "outputs_hash": 6,
    "pay_root": 7,
}
"""Offset of a stored task's members that are proven (`contracts/modules/task_records.vy`)."""

STATE_SETTLED = 3
STATE_SHIFT, STATE_MASK = 248, 7
PRODUCER_MASK = (1 << 160) - 1


def task_layout(layout: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the layout of the module that keeps tasks inside the settlement contract's layout."""
    return layout.get("task_records", layout)


def header_hash_slot(layout: Mapping[str, Any], number: int) -> int:
    """Return the inbox's slot of a batch's header hash."""
    return map_slot(slot_of(layout, "header_hash"), number)


def segment_hash_slot(layout: Mapping[str, Any], number: int, index: int) -> int:
    """Return the inbox's slot of a segment's hash."""
    return map_slot(map_slot(slot_of(layout, "segment_hash"), number), index)


def history_slot(layout: Mapping[str, Any], device: bytes) -> int:
    """Return the registry's slot of a device's key-history accumulator."""
    return map_slot(slot_of(layout, "history"), int.from_bytes(device, "big"))


def task_slot(layout: Mapping[str, Any], task: bytes, member: str) -> int:
    """Return the settlement contract's slot of one member of a task."""
    start = map_slot(slot_of(task_layout(layout), "tasks"), task)
    return member_slot(start, TASK_MEMBERS[member])


def l1_block(c: Context) -> Found:
    """Hash the block header; compare with the trusted hash."""
    header = _header(c)
    pair = agree(header.hash, _trusted(c), "the header is not that of the trusted block")
    return Found(*pair, f"your trusted hash of block {header.number}")


def l1_storage(c: Context) -> Found:
    """Prove every slot that this trail needs, and compare with what was recomputed."""
    header, proven = _header(c), 0
    agree(header.hash, _trusted(c), "the header is not that of the trusted block")
    for contract, expected in _expected(c).items():
        values = _values(c, header.state_root, contract, set(expected))
        for slot, (what, value) in expected.items():
            agree(values[slot], value, f"{contract}.{what} holds another value on L1")
            proven += 1
        if contract == "Settlement":
            proven += _check_duty(c, values)
    count = f"{proven} slots"
    return Found(count, count, f"state root {text(header.state_root)}")


def _trusted(c: Context) -> bytes:
    if c.anchor.block_hash is None:
        raise NotReached("no L1 block hash was given to trust")
    return c.anchor.block_hash


def _header(c: Context) -> Header:
    if c.bundle.l1 is None:
        raise NotReached("nothing of this trail is proven on L1 yet")
    return decode_header(bytes(c.bundle.l1.block.header))


def _expected(c: Context) -> dict[str, dict[int, tuple[str, bytes]]]:
    """Contract → slot → (name, value recomputed here)."""
    layouts = c.anchor.layouts
    devices = {
        history_slot(layouts["Devices"], device): (
            f"history({text(device)})",
            accumulate(c.history(device)),
        )
        for device in c.histories
    }
    found = {"Devices": devices}
    if c.bundle.batch is not None:
        number, index = c.batch.header.number, c.batch.segment_index
        inbox = layouts["BatchInbox"]
        found["BatchInbox"] = {
            header_hash_slot(inbox, number): (
                f"header_hash({number})",
                c.batch.header.value().hash(),
            ),
            segment_hash_slot(inbox, number, index): (
                f"segment_hash({number},{index})",
                c.segment.value().hash(),
            ),
        }
    if c.bundle.task is not None:
        found["Settlement"] = _expected_task(c, c.bundle.task)
    return found


def _expected_task(c: Context, task: form.Task) -> dict[int, tuple[str, bytes]]:
    if task.result is None:
        raise StepFailed("the task is settled, but its result is not in the bundle")
    members = {
        "segment_root": c.checked.root,
        "field_root": int(c.segment.field_root).to_bytes(32, "big"),
        "program": bytes(task.program_id),
        "outputs_hash": outputs_hash(task.outputs),
        "pay_root": bytes(task.result.pay_root),
    }
    layout, identifier = c.anchor.layouts["Settlement"], bytes(task.task_id)
    return {
        task_slot(layout, identifier, member): (f"task({text(identifier)}).{member}", value)
        for member, value in members.items()
    }


def _check_duty(c: Context, values: Mapping[int, bytes]) -> int:
    """Check that the task stands as settled by the stated producer."""
    layout, task = c.anchor.layouts["Settlement"], c.task
    duty = int.from_bytes(values[task_slot(layout, bytes(task.task_id), "duty")], "big")
    agree((duty >> STATE_SHIFT) & STATE_MASK, STATE_SETTLED, "the task is not settled on L1")
    producer = (duty & PRODUCER_MASK).to_bytes(20, "big")
    agree(producer, bytes(task.producer), "another operator stands as producer on L1")
    return 1


def _values(c: Context, state_root: bytes, contract: str, slots: set[int]) -> dict[int, bytes]:
    """Return the proven values of a contract's slots."""
    l1 = c.bundle.l1
    entry = next((p for p in l1.proofs if p.contract == contract), None) if l1 else None
    if entry is None:
        raise StepFailed(f"the bundle has no storage proof of {contract}")
    address = c.anchor.contracts[contract]
    account = verify_account_proof(state_root, address, [bytes(n) for n in entry.account_proof])
    if contract == "Settlement":
        slots = slots | {task_slot(c.anchor.layouts[contract], bytes(c.task.task_id), "duty")}
    by_key = {bytes(s.key): s for s in entry.storage}
    found: dict[int, bytes] = {}
    for slot in slots:
        proof = by_key.get(slot_key(slot))
        if proof is None:
            raise StepFailed(f"the bundle does not prove slot {slot:#x} of {contract}")
        nodes = [bytes(node) for node in proof.proof]
        found[slot] = verify_slot_proof(account.storage_root, slot, nodes)
    return found


CHECKS: dict[str, Callable[[Context], Found]] = {"l1-block": l1_block, "l1-storage": l1_storage}
