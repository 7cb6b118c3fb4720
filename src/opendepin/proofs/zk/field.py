"""Elements of the BN254 scalar field as engine and files carry them: 32 bytes, little-endian."""

from __future__ import annotations

from collections.abc import Iterable

from opendepin.core.errors import EncodingRejected
from opendepin.core.statement import FIELD_MODULUS

ELEMENT_BYTES = 32


def pack(values: Iterable[int]) -> bytes:
    """Write integers below r one after the other."""
    return b"".join(value.to_bytes(ELEMENT_BYTES, "little") for value in values)


def unpack(raw: bytes) -> list[int]:
    """Read elements; refuse a broken length and anything not below r.

    Raises:
        EncodingRejected: code `field-element`.
    """
    if len(raw) % ELEMENT_BYTES:
        raise EncodingRejected(
            f"{len(raw)} bytes are no whole number of field elements", code="field-element"
        )
    values = [
        int.from_bytes(raw[at : at + ELEMENT_BYTES], "little")
        for at in range(0, len(raw), ELEMENT_BYTES)
    ]
    if any(value >= FIELD_MODULUS for value in values):
        raise EncodingRejected("a field element is not below r", code="field-element")
    return values
