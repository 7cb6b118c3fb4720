"""Scalars of JSON forms: bytes of exact length, decimal strings, bounded numbers.

In: a JSON value. Out: a typed value, or a `ValueError`. Promise: one value has one form, and
whatever is read fits the ABI and CBOR forms it is hashed in later.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from opendepin.core.encodings import from_hex

MAX_NUMBER = (1 << 53) - 1
"""Largest number that stands in JSON as a number."""

MAX_TEXT = 1_000
"""Longest text, characters."""

WORD = 1 << 256

Uint = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]
Uint32 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Uint8 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 8)]
Int = Annotated[int, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]

T = TypeVar("T")


class Hex(bytes):
    """Bytes that stand in JSON as lower-case 0x-hex."""

    size: ClassVar[int | None] = None
    """Exact length; None for any."""


class Address(Hex):
    """20 bytes."""

    size = 20


class Hash(Hex):
    """32 bytes."""

    size = 32


class PublicKey(Hex):
    """64 bytes x ‖ y."""

    size = 64


class Signature(Hex):
    """65 bytes r ‖ s ‖ v."""

    size = 65


class Decimal(int):
    """An unsigned 256-bit integer that stands in JSON as a decimal string."""


_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")


def special(kind: type[T], value: object) -> T:
    """Read a value of one of the classes above (a `msgspec` decoding hook).

    Raises:
        ValueError: it is not of the form.
        EncodingRejected: not hex of the right length.
    """
    make: Any = kind
    if issubclass(kind, Hex) and isinstance(value, str):
        return make(from_hex(value, kind.size))
    if kind is Decimal and isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = int(value)
        if number < WORD:
            return make(number)
    raise ValueError(f"{str(value)[:60]!r} is not of the form of {kind.__name__}")
