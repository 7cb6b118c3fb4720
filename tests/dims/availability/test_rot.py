"""Rot and wrong codes: what changed on a store's disk is never served and is mended; a wrong code
is read as its proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from opendepin.core import chunks, merkle
from opendepin.core.chunks import Chunk
from opendepin.core.encodings import cbor_decode, cbor_encode
from opendepin.core.errors import ProofRejected
from opendepin.core.journey import Batched
from opendepin.dims.availability.errors import (
    ChunkLost,
    ChunkUnknown,
    TooFewChunks,
    WrongCodeFound,
)
from opendepin.dims.availability.ports import Held
from opendepin.dims.availability.retrieval import Retrieval
from opendepin.runtime.chance import SeededChance
from tests.dims.availability.contract import Ground, settle
from tests.dims.availability.fleet import layer
from tests.dims.availability.world import CODE, DATA_CHUNKS, STORES, World, chain, resealed
from tests.dims.sequencer.ground import quiet


def flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def swapped(data: bytes) -> bytes:
    """Another chunk of ours under an index of ours: sound bytes in the wrong place."""
    rows: Any = cbor_decode(data, 3)
    rows[0][1], rows[1][1] = rows[1][1], rows[0][1]
    return cbor_encode(rows)


def fewer(data: bytes) -> bytes:
    return cbor_encode(cbor_decode(data, 3)[1:])


@pytest.mark.parametrize("damage", [flipped, swapped, fewer, lambda _: b"", lambda data: data[:-9]])
async def test_a_rotten_chunk_is_never_served_and_is_mended(ground: Ground, damage: Any) -> None:
    batch = ground.batches[0]
    async with layer(ground.fleet) as port:
        await port.disperse(batch, ground.earlier)
        await settle(port, batch)
        path = ground.fleet.chunk_file(1, batch)
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        mine = range(1, CODE.total, len(STORES))
        for _ in range(400):
            for index in mine:
                try:
                    found = await port.stores[1].chunk(batch.header.data_root, index)
                    found.check(batch.header.data_root, DATA_CHUNKS)
                except ChunkLost:
                    pass
            if path.read_bytes() == whole:
                break
        assert path.read_bytes() == whole
        assert await port.read(batch.header) == batch.body


async def test_a_lost_file_is_fetched_anew_by_the_walk(ground: Ground) -> None:
    batch = ground.batches[0]
    async with layer(ground.fleet) as port:
        await port.disperse(batch, ground.earlier)
        await settle(port, batch)
        path = ground.fleet.chunk_file(2, batch)
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(ChunkUnknown):
            await port.stores[2].chunk(batch.header.data_root, 2)
        for _ in range(400):
            if path.exists() and path.read_bytes() == whole:
                break
            await port.stores[2].batch(batch.header.number)
        assert path.read_bytes() == whole


class Holding:
    """A store in memory that gives what it holds: what a dishonest majority of stores could
    serve.
    """

    def __init__(self, held: dict[int, Chunk]) -> None:
        self._held = held
        self.address = STORES[0].address

    async def chunk(self, data_root: bytes, index: int) -> Chunk:
        if index not in self._held:
            raise ChunkUnknown("gone")
        return self._held[index]

    async def attest(self, batch: Batched) -> bytes:
        raise NotImplementedError

    async def batch(self, number: int) -> Held:
        raise NotImplementedError


def reader(rows: Sequence[bytes], served: Sequence[int]) -> tuple[Retrieval, bytes]:
    leaves = [merkle.leaf_hash(row) for row in rows]
    held = {i: Chunk(i, rows[i], tuple(merkle.path(leaves, i))) for i in served}
    found = Retrieval([Holding(held)], CODE, SeededChance(1), quiet())
    return found, merkle.root(leaves)


@pytest.mark.parametrize("bad", [0, 7, 16, 31])
async def test_a_wrong_code_is_read_as_its_proof(bad: int) -> None:
    """The header commits to chunks of which one is not of the code, and enough stores served
    them.
    """
    (batch,) = chain(World(), 1)
    rows = list(CODE.encode(batch.body).chunks)
    rows[bad] = flipped(rows[bad])
    for served in (range(16), range(8, 24), range(16, 32)):
        retrieval, data_root = reader(rows, served)
        header = resealed(batch.segments, batch.body, data_root=data_root).header
        with pytest.raises(WrongCodeFound) as caught:
            await retrieval.read(header)
        proof = caught.value.proof
        assert len(proof.chunks) == DATA_CHUNKS
        chunks.check_wrong_code(proof, header.data_root, header.data_bytes, DATA_CHUNKS)
        with pytest.raises(ProofRejected):
            chunks.check_wrong_code(proof, batch.header.data_root, header.data_bytes, DATA_CHUNKS)


async def test_the_same_chunks_of_an_honest_code_are_the_body() -> None:
    (batch,) = chain(World(), 1)
    rows = CODE.encode(batch.body).chunks
    for served in (range(16), range(8, 24), range(16, 32)):
        retrieval, data_root = reader(rows, served)
        assert data_root == batch.header.data_root
        assert await retrieval.read(batch.header) == batch.body
    retrieval, _ = reader(rows, range(15))
    with pytest.raises(TooFewChunks):
        await retrieval.read(batch.header)
