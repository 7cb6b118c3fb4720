"""One device: its identity, its key, and the sequence number that never goes back."""

from __future__ import annotations

from opendepin.core import message
from opendepin.core.keys import Key
from opendepin.core.limits import MAX_SEQ
from opendepin.core.schema import Data
from opendepin.sdk.errors import StoreBroken
from opendepin.sdk.ports import Clock, Store

RESERVED = 64
"""Sequence numbers reserved by one durable write; a crash skips at most so many, it never repeats
one.
"""

SEQ = "seq"


class Device:
    """Signs readings of one device for one project on one network."""

    def __init__(
        self,
        key: Key,
        network_id: bytes,
        project: int,
        store: Store,
        clock: Clock,
        *,
        device_id: bytes | None = None,
    ) -> None:
        self.key = key
        self.device_id = device_id or key.address
        """Stays the same when the key is rotated; the first key's address."""
        self.project = project
        self.aad = message.external_aad(network_id, project)
        self._store, self._clock = store, clock
        self._next = self._reserved = _read_seq(store)

    def sign(self, data: Data) -> bytes:
        """Sign one reading now and return the message; its `seq` is durable before it is used.

        Raises:
            StoreBroken: the device has used all sequence numbers.
        """
        if self._next >= MAX_SEQ:
            raise StoreBroken(f"seq {self._next} is the last one: register a new device")
        if self._next >= self._reserved:
            self._reserved = min(self._next + RESERVED, MAX_SEQ)
            self._store.write(SEQ, str(self._reserved).encode())
        self._next += 1
        return message.build(
            self.key, self.device_id, self._next, self._clock.now_ms(), data, self.aad
        )

    def message_id(self, raw: bytes) -> bytes:
        """Return the id of a message this device signed."""
        return message.message_id(message.parse(raw), self.aad)


def _read_seq(store: Store) -> int:
    kept = store.read(SEQ)
    if kept is None:
        return 0
    if not kept.isdigit() or int(kept) > MAX_SEQ:
        raise StoreBroken("the sequence file is no number: restore it, or register a new device")
    return int(kept)
