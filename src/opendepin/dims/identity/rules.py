"""Key histories, judged: do events extend them, do they lead to the contract's accumulator.

Pure. In: changes and accumulators. Out: longer histories, or an error that names what does not fit.
`verify` holds a history against an accumulator that is proven from L1 storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from opendepin.core.encodings import UINT64_MAX
from opendepin.core.identity import NO_HISTORY, KeyChange, Status, accumulate, extend
from opendepin.core.keys import address_of
from opendepin.core.limits import MAX_DEVICES_PER_PROJECT
from opendepin.dims.identity.errors import HistoryRejected, RegistryFault
from opendepin.dims.identity.ports import Entry


def check_history(history: Sequence[KeyChange], accumulator: bytes) -> None:
    """Check that a history is one device's, could have come from the registry, and leads to the
    accumulator.

    Raises:
        HistoryRejected: it does not; the text says at which entry.
    """
    before: KeyChange | None = None
    for number, change in enumerate(history):
        reason = reason_of_step(before, change)
        if reason is not None:
            raise HistoryRejected(f"entry {number} of 0x{change.device.hex()}: {reason}")
        before = change
    if accumulate(history) != accumulator:
        raise HistoryRejected(
            f"{len(history)} entries do not lead to the accumulator 0x{accumulator.hex()}"
        )


def reason_of_step(before: KeyChange | None, change: KeyChange) -> str | None:
    """Say why the registry could not have written `change` after `before`; None when it could."""
    if len(change.public) != 64 or len(change.device) != 20:
        return "a device has 20 bytes and a key 64"
    if not (1 <= change.project <= UINT64_MAX and 0 <= change.index < MAX_DEVICES_PER_PROJECT):
        return "project or index is outside its range"
    if not 0 <= change.from_block <= UINT64_MAX:
        return "the block is outside its range"
    if before is None:
        if change.device != address_of(change.public):
            return "a device id is the address of its first key"
        if change.status is not Status.ACTIVE:
            return "a history begins with an active device"
        return None
    if (change.device, change.project, change.index) != (
        before.device,
        before.project,
        before.index,
    ):
        return "device, project and index never change"
    if before.status is Status.REVOKED:
        return "nothing follows a revocation"
    if change.from_block < before.from_block:
        return "blocks never go back"
    if (change.public == before.public) == (change.status is before.status):
        return "each entry changes either the key or the status"
    return None


def extended(entries: Iterable[Entry], accumulators: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the accumulators that change by further entries, each compared with the contract's.

    An event that the node left out, repeated, moved or altered shows here.

    Raises:
        RegistryFault: an entry does not extend its device's history.
    """
    found: dict[bytes, bytes] = {}
    for entry in entries:
        device = entry.change.device
        before = found.get(device) or accumulators.get(device, NO_HISTORY)
        after = extend(before, entry.change)
        if after != entry.accumulator:
            raise RegistryFault(
                f"an event of block {entry.change.from_block} does not extend the history of"
                f" 0x{device.hex()}: events are missing or altered"
            )
        found[device] = after
    return found


def cautious(final: KeyChange | None, newest: KeyChange) -> KeyChange | None:
    """Return the state to trust a device with while `newest` is not final yet; None for `final`.

    What is not final can take trust away and never gives it: messages are judged by final state for
    ever, so a key that is only about to hold is no key yet, and one that is about to be replaced
    is none any more. Until the change is final such a device counts as suspended.
    """
    if final is None or final.status is not Status.ACTIVE:
        return None
    if newest.status is not Status.ACTIVE:
        return newest
    if newest.public != final.public:
        return replace(final, status=Status.SUSPENDED)
    return None
