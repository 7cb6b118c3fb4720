"""Whole batches, out of the availability stores."""

from __future__ import annotations

from opendepin.core.errors import DepinError
from opendepin.dims.availability.ports import Held
from opendepin.explorer.errors import SourceAway
from opendepin.explorer.ports import BatchRecord
from opendepin.network.parts import Parts


class BodySource:
    """Whole batches out of the availability stores."""

    def __init__(self, built: Parts) -> None:
        self._stores = built.stores()
        self._retrieval = built.retrieval()
        self._shape = (built.code.data_chunks, built.code.total)

    async def batch(self, number: int) -> BatchRecord | None:
        """Return a batch with the attestations that stores give; None when none has it yet."""
        held: dict[bytes, Held] = {}
        for store in self._stores:
            try:
                found = await store.batch(number)
                held[found.attester] = found
            except DepinError:  # it has not attested this one, or is away: ask the next
                continue
        if not held:
            return None
        first = next(iter(held.values()))
        same = {a: h for a, h in held.items() if h.header.hash() == first.header.hash()}
        try:
            body = await self._retrieval.read(first.header)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        attestations = tuple(same[attester].attestation for attester in sorted(same))
        return BatchRecord(
            first.header, first.signature, first.segments, attestations, body, self._shape
        )
