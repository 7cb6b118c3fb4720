"""The default code: Reed–Solomon k → 2k under a Merkle root (`core.chunks`)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from opendepin.core import chunks
from opendepin.core.chunks import Chunk, Coded, WrongCode
from opendepin.dims.availability.errors import WrongCodeFound


class ReedSolomon:
    """k data chunks and k more; any k restore, and k show a wrong code."""

    def __init__(self, data_chunks: int) -> None:
        self._k = data_chunks

    @property
    def data_chunks(self) -> int:
        """K."""
        return self._k

    @property
    def total(self) -> int:
        """2k."""
        return 2 * self._k

    def encode(self, body: bytes) -> Coded:
        """Code a body."""
        return chunks.encode(body, self._k)

    def check(self, chunk: Chunk, data_root: bytes) -> None:
        """Check one chunk's path.

        Raises:
            ProofRejected: it is not the chunk of this index under the root.
        """
        chunk.check(data_root, self._k)

    def restore(self, parts: Sequence[Chunk], data_root: bytes, data_bytes: int) -> bytes:
        """Return the body from k chunks and code it again.

        Raises:
            ProofRejected: a chunk is not under the root.
            Rejected: code `too-few-chunks`.
            WrongCodeFound: the code is not the committed one.
        """
        found = chunks.checked_body(parts, data_root, data_bytes, self._k)
        if isinstance(found, WrongCode):
            raise WrongCodeFound("the chunks under the data root are no code of a body", found)
        return found

    def error(self, samples: int) -> float:
        """Return (k−1)/2k · (k−2)/(2k−1) · …: at worst all but one of the needed half are
        served.
        """
        k = self._k
        return prod(max(0, k - 1 - i) / (2 * k - i) for i in range(min(samples, 2 * k)))
