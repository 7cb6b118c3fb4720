"""The key history of a device, and the accumulator that the registry contract keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from opendepin.core.encodings import abi_encode, domain, keccak256
from opendepin.core.errors import Rejected

HISTORY_DOMAIN = domain("key-history")
NO_HISTORY = bytes(32)
"""Accumulator of a device that was never registered."""


class Status(IntEnum):
    """State of a device in the registry."""

    ACTIVE = 1
    SUSPENDED = 2
    REVOKED = 3


@dataclass(frozen=True)
class KeyChange:
    """One entry of a device's history: the whole state that holds from `from_block` on."""

    device: bytes
    status: Status
    project: int
    index: int
    """Project-local device index, 0, 1, 2, ... in order of registration."""
    public: bytes
    """64 bytes x ‖ y."""
    from_block: int
    """L1 height of the transaction; holds for identity blocks at and above it."""


def extend(accumulator: bytes, change: KeyChange) -> bytes:
    """Return the accumulator after one more change, as the contract computes it."""
    types = [
        "bytes32",
        "bytes32",
        "address",
        "uint8",
        "uint64",
        "uint32",
        "bytes32",
        "bytes32",
        "uint64",
    ]
    values = [
        HISTORY_DOMAIN,
        accumulator,
        change.device,
        int(change.status),
        change.project,
        change.index,
    ]
    key = [change.public[:32], change.public[32:], change.from_block]
    return keccak256(abi_encode(types, [*values, *key]))


def accumulate(history: Sequence[KeyChange]) -> bytes:
    """Return the accumulator of a whole history."""
    found = NO_HISTORY
    for change in history:
        found = extend(found, change)
    return found


def state_at(history: Sequence[KeyChange], block: int) -> KeyChange:
    """Return the change that holds at an identity block.

    Raises:
        Rejected: code `unknown-device` when the device was not registered then.
    """
    found = [change for change in history if change.from_block <= block]
    if not found:
        raise Rejected("the device was not registered at the identity block", code="unknown-device")
    return found[-1]


def key_at(history: Sequence[KeyChange], block: int, project: int) -> KeyChange:
    """Return the state at an identity block when the device may speak for `project` then.

    Raises:
        Rejected: code `unknown-device`, `wrong-project`, `suspended` or `revoked`.
    """
    state = state_at(history, block)
    if state.project != project:
        raise Rejected(f"the device belongs to project {state.project}", code="wrong-project")
    if state.status is Status.SUSPENDED:
        raise Rejected("the device is suspended; its owner can resume it", code="suspended")
    if state.status is Status.REVOKED:
        raise Rejected("the device is revoked for good", code="revoked")
    return state
