"""A project's manifest: schema and rule by name; its hash is part of the program id."""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.core.encodings import cbor_encode, keccak256
from opendepin.core.schema import Schema


@dataclass(frozen=True)
class Manifest:
    """What a project computes over which messages."""

    name: str
    version: str
    schema: Schema
    compute: str
    """The rule's name, for readers: what is run is the circuit that the program id names."""
    capacity: int
    """Readings a proof takes at most."""
    pay_offset: int
    """Index of the first output that counts payable units of a device index."""
    pay_count: int
    """Number of device indices paid for, from index 0."""

    def hash(self) -> bytes:
        """Return keccak of the deterministic CBOR of all fields."""
        head = [self.name, self.version, self.schema.hash(), self.compute, self.capacity]
        return keccak256(cbor_encode([*head, self.pay_offset, self.pay_count]))
