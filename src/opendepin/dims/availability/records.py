"""What a store writes down of each batch that it attests: one record, numbered as the batch.

In: the batch without its body, and the step of the coverage it makes. Out: bytes for the stage log,
and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opendepin.core.batch import BatchHeader, Segment
from opendepin.core.batch_form import (
    header_fields,
    header_of_fields,
    segment_fields,
    segments_of_fields,
)
from opendepin.core.coverage import Coverage, Step
from opendepin.core.encodings import cbor_decode, cbor_encode
from opendepin.core.errors import DepinError
from opendepin.dims.availability.errors import RecordsBroken

RECORD_DEPTH = 5


@dataclass(frozen=True)
class Record:
    """An attested batch, as the store's log keeps it."""

    header: BatchHeader
    signature: bytes
    segments: tuple[Segment, ...]
    step: bytes
    """The coverage's step, `Step.encode()`."""

    def encode(self) -> bytes:
        """Write the record."""
        segments = [segment_fields(segment) for segment in self.segments]
        return cbor_encode([header_fields(self.header), self.signature, segments, self.step])

    def apply(self, coverage: Coverage) -> None:
        """Take the batch's step into a coverage that ends right before it."""
        coverage.apply(Step.decode(self.step, coverage))


def decode_record(number: int, data: bytes, network_id: bytes) -> Record:
    """Read record `number` of our own log.

    Raises:
        RecordsBroken: it is not a record of batch `number`.
    """
    try:
        value: Any = cbor_decode(data, RECORD_DEPTH)
        header, signature, segments, step = value
        found = Record(
            header_of_fields(header, network_id), signature, segments_of_fields(segments), step
        )
    except (DepinError, TypeError, ValueError) as error:
        raise RecordsBroken(f"record {number} of the log cannot be read: {error}") from error
    if found.header.number != number:
        text = f"record {number} of the log holds batch {found.header.number}"
        raise RecordsBroken(text)
    return found
