"""Erasure code of a batch body: k data chunks become 2k, any k of which restore the body.

Reed–Solomon over GF(2^8) mod x^8+x^4+x^3+x^2+1 (0x11d), systematic: byte b of the chunks is the
polynomial of degree < k through the points `x(0) = 0, x(i) = 2^(i-1)`. This is the code that the
`zfec` package makes, byte for byte; ours multiplies eight rows at a time by table and is about
twice as fast. In: a body. Out: chunks, their Merkle root, paths. Promise: whoever holds k chunks of
a root that is not the root of a true code can prove it to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendepin.core import merkle
from opendepin.core.errors import ProofRejected, Rejected

POLYNOMIAL = 0x11D
MAX_DATA_CHUNKS = 128
"""Largest k: the 2k points must differ in GF(2^8)."""

ROWS_AT_ONCE = 8
"""Rows that one table look-up computes: the bytes of a 64-bit word."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Chunk:
    """One chunk and its place under a data root; whoever holds the root can check it alone."""

    index: int
    data: bytes
    path: tuple[bytes, ...]

    def check(self, data_root: bytes, data_chunks: int) -> None:
        """Check that this is chunk `index` of 2 × `data_chunks` under `data_root`.

        Raises:
            ProofRejected: code `chunk`.
        """
        try:
            leaf = merkle.leaf_hash(self.data)
            reached = merkle.root_of_path(leaf, self.index, 2 * data_chunks, self.path)
        except ProofRejected as error:
            raise ProofRejected(f"chunk {self.index}: {error}", code="chunk") from error
        if reached != data_root:
            raise ProofRejected(f"chunk {self.index} is not under the data root", code="chunk")


@dataclass(frozen=True)
class Coded:
    """A body's whole code."""

    chunks: tuple[bytes, ...]
    """2k chunks; the first k are the body itself, zero-padded."""
    leaves: tuple[bytes, ...]
    data_root: bytes

    def chunk(self, index: int) -> Chunk:
        """Return chunk `index` with its path."""
        return Chunk(index, self.chunks[index], tuple(merkle.path(self.leaves, index)))


def chunk_bytes(data_bytes: int, data_chunks: int) -> int:
    """Return the length of every chunk of a body of `data_bytes` bytes."""
    return -(-data_bytes // data_chunks)


def encode(body: bytes, data_chunks: int) -> Coded:
    """Code a body into 2 × `data_chunks` chunks.

    Raises:
        Rejected: code `chunks`, the body is empty or `data_chunks` is outside 1..128.
    """
    _check_sizes(len(body), data_chunks)
    size = chunk_bytes(len(body), data_chunks)
    padded = body.ljust(size * data_chunks, b"\x00")
    data = np.frombuffer(padded, np.uint8).reshape(data_chunks, size)
    known = tuple(range(data_chunks))
    parity = _evaluate(data, known, tuple(range(data_chunks, 2 * data_chunks)))
    chunks = tuple(padded[at : at + size] for at in range(0, len(padded), size))
    chunks += tuple(row.tobytes() for row in parity)
    leaves = tuple(merkle.leaf_hash(chunk) for chunk in chunks)
    return Coded(chunks, leaves, merkle.root(leaves))


def restore(chunks: Mapping[int, bytes], data_bytes: int, data_chunks: int) -> bytes:
    """Return the body from any `data_chunks` chunks by index; more than that are left unused.

    Whether the chunks are of one true code is not checked here: see `checked_body`.

    Raises:
        Rejected: code `too-few-chunks` or `chunks` (an index or a length that cannot be).
    """
    _check_sizes(data_bytes, data_chunks)
    size = chunk_bytes(data_bytes, data_chunks)
    if any(not 0 <= i < 2 * data_chunks or len(c) != size for i, c in chunks.items()):
        raise Rejected(
            f"a chunk has {size} bytes and index 0..{2 * data_chunks - 1}", code="chunks"
        )
    if len(chunks) < data_chunks:
        text = f"{data_chunks} chunks restore a body, here are {len(chunks)}"
        raise Rejected(text, code="too-few-chunks")
    known = tuple(sorted(chunks)[:data_chunks])
    lost = tuple(i for i in range(data_chunks) if i not in known)
    found = {i: chunks[i] for i in known}
    if lost:
        rows = np.frombuffer(b"".join(chunks[i] for i in known), np.uint8)
        restored = _evaluate(rows.reshape(data_chunks, size), known, lost)
        found |= {i: row.tobytes() for i, row in zip(lost, restored, strict=True)}
    return b"".join(found[i] for i in range(data_chunks))[:data_bytes]


@dataclass(frozen=True)
class WrongCode:
    """Proof that a data root does not commit to the code of any body of the stated length."""

    chunks: tuple[Chunk, ...]
    """Either k chunks that fix a body whose code has another root, or one chunk of a wrong
    length.
    """


def checked_body(
    chunks: Sequence[Chunk], data_root: bytes, data_bytes: int, data_chunks: int
) -> bytes | WrongCode:
    """Restore a body from chunks under `data_root` and code it again: the body, or the proof that
    the code is wrong.

    Raises:
        ProofRejected: a chunk is not under the root, or the same index comes twice.
        Rejected: code `too-few-chunks`.
    """
    size = chunk_bytes(data_bytes, data_chunks)
    for chunk in chunks:
        chunk.check(data_root, data_chunks)
        if len(chunk.data) != size:
            return WrongCode((chunk,))
    by_index = {chunk.index: chunk for chunk in chunks}
    if len(by_index) != len(chunks):
        raise ProofRejected("a chunk comes twice", code="chunk")
    used = [by_index[i] for i in sorted(by_index)[:data_chunks]]
    body = restore({c.index: c.data for c in used}, data_bytes, data_chunks)
    if encode(body, data_chunks).data_root != data_root:
        return WrongCode(tuple(used))
    return body


def check_wrong_code(proof: WrongCode, data_root: bytes, data_bytes: int, data_chunks: int) -> None:
    """Check a proof that the code under `data_root` is wrong; no proof about an honest code passes.

    Raises:
        ProofRejected: code `chunk` (a chunk is not under the root), `too-few-chunks` or
            `honest-code`.
    """
    try:
        found = checked_body(proof.chunks, data_root, data_bytes, data_chunks)
    except ProofRejected:
        raise
    except Rejected as error:
        raise ProofRejected(str(error), code=error.code) from error
    if isinstance(found, bytes):
        raise ProofRejected(
            "the chunks are of the one true code under this root", code="honest-code"
        )


def _check_sizes(data_bytes: int, data_chunks: int) -> None:
    if not 1 <= data_chunks <= MAX_DATA_CHUNKS or data_bytes < 1:
        text = f"a body has a byte at least, and 1..{MAX_DATA_CHUNKS} data chunks"
        raise Rejected(text, code="chunks")


def _powers() -> tuple[list[int], list[int]]:
    powers, logarithms, value = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logarithms[value] = exponent
        value = (value << 1) ^ (POLYNOMIAL if value & 0x80 else 0)
    return powers, logarithms


_POWER, _LOG = _powers()


def _point(index: int) -> int:
    return _POWER[index - 1] if index else 0


@lru_cache(maxsize=1024)
def _lagrange(known: tuple[int, ...], wanted: int) -> tuple[int, ...]:
    """Return the factors that make chunk `wanted` of the chunks `known` (Lagrange, in
    logarithms).
    """
    at = _point(wanted)
    factors: list[int] = []
    for j in known:
        exponent = 0
        for m in known:
            if m != j:
                exponent += _LOG[at ^ _point(m)] - _LOG[_point(j) ^ _point(m)]
        factors.append(_POWER[exponent % 255])
    return tuple(factors)


@lru_cache(maxsize=256)
def _multiples(factor: int) -> Bytes:
    """Return the products of `factor` with 0..255."""
    products = [0] + [_POWER[_LOG[factor] + _LOG[value]] for value in range(1, 256)]
    return np.array(products if factor else [0] * 256, np.uint8)


@lru_cache(maxsize=64)
def _tables(known: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[NDArray[np.uint64], ...]:
    """Return, for each known chunk, the table byte → its share in up to eight wanted chunks, packed
    in a word.
    """
    factors = [_lagrange(known, index) for index in wanted]
    tables: list[NDArray[np.uint64]] = []
    for place in range(len(known)):
        table = np.zeros((256, ROWS_AT_ONCE), np.uint8)
        for row, each in enumerate(factors):
            table[:, row] = _multiples(each[place])
        tables.append(table.view(np.uint64)[:, 0])
    return tuple(tables)


def _evaluate(data: Bytes, known: tuple[int, ...], wanted: tuple[int, ...]) -> Bytes:
    """Return the chunks `wanted` of the code whose chunks `known` are the rows of `data`."""
    size = data.shape[1]
    found = np.empty((len(wanted), size), np.uint8)
    share: Any = np.empty(size, np.uint64)
    for first in range(0, len(wanted), ROWS_AT_ONCE):
        part = wanted[first : first + ROWS_AT_ONCE]
        total = np.zeros(size, np.uint64)
        for table, row in zip(_tables(known, part), data, strict=True):
            np.take(table, row, out=share, mode="clip")
            total ^= share
        found[first : first + len(part)] = (
            total.view(np.uint8).reshape(size, ROWS_AT_ONCE).T[: len(part)]
        )
    return found
