"""Where the imagined contracts keep their values: slots of Vyper's layout."""

from __future__ import annotations

from collections.abc import Sequence

from opendepin.core.encodings import keccak256

TASK_MEMBERS = {"origin": 3, "producer": 4, "seed": 5, "outputs_hash": 6, "pay_root": 7}
LAYOUT = {
    "BatchInbox.header_hash": 3,
    "BatchInbox.inbox_block": 4,
    "BatchInbox.segment_hash": 5,
    "Devices.history": 8,
    "Operators.snapshots": 6,
    "Settlement.tasks": 12,
}


def slot_of(contract: str, name: str, path: Sequence[bytes], offset: int = 0) -> bytes:
    """Return the slot of a map's value in Vyper's layout: keccak(slot ‖ key) per level, plus
    the member's offset.
    """
    slot = LAYOUT[f"{contract}.{name}"].to_bytes(32, "big")
    for word in path:
        slot = keccak256(slot + word.rjust(32, b"\0"))
    return ((int.from_bytes(slot, "big") + offset) % (1 << 256)).to_bytes(32, "big")


def slot_of_what(contract: str, what: str) -> bytes:
    name, _, rest = what.replace("result(", "tasks(").partition("(")
    inner, _, member = rest.partition(")")
    words = [
        bytes.fromhex(w[2:]) if w.startswith("0x") else int(w).to_bytes(32, "big")
        for w in inner.split(",")
    ]
    offset = TASK_MEMBERS[member[1:]] if member else 0
    return slot_of(contract, name, words, offset)
