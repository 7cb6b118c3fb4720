"""What a sequencer writes down: sealed batches, and groups set aside.

In: values. Out: bytes for the stage logs, and back. A sealed batch is record `number` of its log,
so a number can be written once only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.core.batch_form import decode_batched, encode_batched
from opendepin.core.coverage import Coverage, Step
from opendepin.core.encodings import cbor_decode, cbor_encode
from opendepin.core.errors import DepinError
from opendepin.core.journey import Batched
from opendepin.dims.sequencer.errors import LogBehind

RECORD_DEPTH = 3


@dataclass(frozen=True)
class Sealed:
    """A sealed batch with what is needed to go on after it."""

    batch: Batched
    cursors: Mapping[bytes, int]
    """Gateway → number of the last group of its feed that is dealt with."""
    step: bytes
    """The coverage's step, `Step.encode()`."""

    def encode(self) -> bytes:
        """Write the record."""
        cursors = [[gateway, number] for gateway, number in sorted(self.cursors.items())]
        return cbor_encode([encode_batched(self.batch), cursors, self.step])

    def apply(self, coverage: Coverage) -> None:
        """Take the batch's step into a coverage that ends right before it."""
        coverage.apply(Step.decode(self.step, coverage))


def decode_sealed(number: int, data: bytes, network_id: bytes) -> Sealed:
    """Read record `number` of our own log.

    Raises:
        LogBehind: it is not a record of batch `number`.
    """
    try:
        value: Any = cbor_decode(data, RECORD_DEPTH)
        batch, cursors, step = value
        found = Sealed(decode_batched(batch, network_id), dict(cursors), step)
    except (DepinError, TypeError, ValueError) as error:
        raise LogBehind(f"record {number} of the log cannot be read: {error}") from error
    if found.batch.header.number != number:
        raise LogBehind(f"record {number} of the log holds batch {found.batch.header.number}")
    return found


@dataclass(frozen=True)
class Aside:
    """A group that can be in no batch: evidence against its gateway, signed by it where it signed
    it.
    """

    feed: bytes
    number: int
    code: str
    text: str
    group: bytes
    """As the feed gave it."""

    def encode(self) -> bytes:
        """Write the record."""
        return cbor_encode([self.feed, self.number, self.code, self.text, self.group])


def decode_aside(number: int, data: bytes) -> Aside:
    """Read record `number` of the log of groups set aside.

    Raises:
        LogBehind: it is not such a record.
    """
    try:
        value: Any = cbor_decode(data)
        return Aside(*value)
    except (DepinError, TypeError) as error:
        raise LogBehind(
            f"record {number} of the groups set aside cannot be read: {error}"
        ) from error
