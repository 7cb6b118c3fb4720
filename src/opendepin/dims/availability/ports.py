"""What the availability layer is to others, and what it needs of them.

`Availability` is the layer's port: `disperse`, `sample`, `read`; `Attester` is one store's:
`attest`, `chunk`, `batch`. Another code (KZG cells, another network) fills the same ports and
passes the same contract tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.core.batch import BatchHeader, Segment
from opendepin.core.chunks import Chunk, Coded
from opendepin.core.journey import Batched
from opendepin.core.views import FieldRoots, Identity, Projects

Earlier = Callable[[int], Awaitable[Batched]]
"""Gives an earlier batch by number: for a store that was away and has to catch up."""


@dataclass(frozen=True)
class Sampled:
    """The outcome of a sampling."""

    asked: tuple[int, ...]
    """Indices of the chunks asked for, all different, drawn at random."""
    missing: tuple[int, ...]
    """Those that did not come, or did not verify."""
    error: float
    """Greatest probability that so many samples all succeed though the body cannot be restored."""

    @property
    def available(self) -> bool:
        """Whether every sample came."""
        return not self.missing


@dataclass(frozen=True)
class Held:
    """What one store tells of a batch that it attested."""

    header: BatchHeader
    signature: bytes
    """The sequencer's."""
    segments: tuple[Segment, ...]
    attester: bytes
    attestation: bytes
    chunks: tuple[int, ...]
    """Indices of the chunks it keeps."""


class Availability(Protocol):
    """The layer as sequencer, operators, explorer and verifiers see it."""

    async def disperse(self, batch: Batched, earlier: Earlier) -> tuple[bytes, ...]:
        """Bring a batch to the stores; return t attestations by ascending attester address.

        Raises:
            TooFewAttestations: so many stores refused that t cannot be reached.
        """
        ...

    async def sample(self, header: BatchHeader, samples: int) -> Sampled:
        """Ask for some chunks at random and say how sure one may be that the body can be
        restored.
        """
        ...

    async def read(self, header: BatchHeader) -> bytes:
        """Return the body, verified against the header.

        Raises:
            TooFewChunks: the stores that answer hold less than half.
            WrongCodeFound: the chunks are not of one true code; the error carries the proof.
        """
        ...


class Attester(Protocol):
    """One store."""

    @property
    def address(self) -> bytes:
        """Address of the key it attests with."""
        ...

    async def attest(self, batch: Batched) -> bytes:
        """Check a batch whole, keep its chunks durably, return the 65-byte signature over its
        attest digest.

        Raises:
            BatchRefused: the batch fails a check.
            PeerFault: try again later.
        """
        ...

    async def chunk(self, data_root: bytes, index: int) -> Chunk:
        """Return one chunk, verified.

        Raises:
            ChunkUnknown, ChunkLost, StoreAway, StoreFaulty.
        """
        ...

    async def batch(self, number: int) -> Held:
        """Return what the store holds of an attested batch.

        Raises:
            BatchUnknown, StoreAway, StoreFaulty.
        """
        ...


class Code(Protocol):
    """An erasure code with a commitment."""

    @property
    def data_chunks(self) -> int:
        """k: so many chunks restore."""
        ...

    @property
    def total(self) -> int:
        """How many chunks there are."""
        ...

    def encode(self, body: bytes) -> Coded:
        """Code a body."""
        ...

    def check(self, chunk: Chunk, data_root: bytes) -> None:
        """Check one chunk alone.

        Raises:
            ProofRejected: it is not the chunk of this index under the root.
        """
        ...

    def restore(self, parts: Sequence[Chunk], data_root: bytes, data_bytes: int) -> bytes:
        """Return the body from k checked chunks, and make sure that its code is the committed one.

        Raises:
            WrongCodeFound: it is not; the error carries the proof.
        """
        ...

    def error(self, samples: int) -> float:
        """Return the greatest probability that all of so many samples come though the body is
        lost.
        """
        ...


class ChunkFiles(Protocol):
    """Where a store keeps its chunks; blocking."""

    def write(self, data_root: bytes, chunks: Sequence[Chunk]) -> None:
        """Keep a batch's chunks; durable on return."""
        ...

    def read(self, data_root: bytes, index: int) -> Chunk:
        """Return one chunk; it is verified, or an error.

        Raises:
            ChunkUnknown: nothing is kept under this root.
            ChunkLost: something is, but not this chunk as it was written.
        """
        ...

    def sound(self, data_root: bytes, indices: Sequence[int]) -> bool:
        """Tell whether all these chunks are there and verify."""
        ...


@dataclass(frozen=True)
class Views:
    """What a store knows of the network besides the batches."""

    identity: Identity
    projects: Projects
    field_roots: FieldRoots
