"""A store's chunks on disk: one file per data root, written whole, verified by its own Merkle paths
at every read.

The path to the data root is the checksum: a chunk whose bytes, index or path changed on disk does
not verify, and what does not verify is never served. File: CBOR `[[index, chunk, [path node, …]],
…]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opendepin.core.chunks import Chunk
from opendepin.core.encodings import cbor_decode, cbor_encode
from opendepin.core.errors import DepinError
from opendepin.dims.availability.errors import ChunkLost, ChunkUnknown
from opendepin.dims.availability.ports import Code
from opendepin.runtime.disk import read, write_atomic

FORM_DEPTH = 3


class FolderOfChunks:
    """Chunk files in one folder, 256 sub-folders by the root's first byte."""

    def __init__(self, folder: Path, code: Code) -> None:
        self._folder = folder
        self._code = code

    def write(self, data_root: bytes, chunks: Sequence[Chunk]) -> None:
        """Keep a batch's chunks; durable on return."""
        rows = [[chunk.index, chunk.data, list(chunk.path)] for chunk in chunks]
        write_atomic(self._path(data_root), cbor_encode(rows))

    def read(self, data_root: bytes, index: int) -> Chunk:
        """Return one chunk, verified; see the port."""
        chunk = self._load(data_root).get(index)
        if chunk is None:
            raise ChunkLost(f"chunk {index} of 0x{data_root.hex()} is not in its file")
        self._check(chunk, data_root)
        return chunk

    def sound(self, data_root: bytes, indices: Sequence[int]) -> bool:
        """Tell whether all these chunks are there and verify."""
        try:
            held = self._load(data_root)
            for index in indices:
                self._check(held[index], data_root)
        except (ChunkLost, ChunkUnknown, KeyError):
            return False
        return True

    def _check(self, chunk: Chunk, data_root: bytes) -> None:
        try:
            self._code.check(chunk, data_root)
        except (DepinError, TypeError) as error:
            raise ChunkLost(f"chunk {chunk.index} of 0x{data_root.hex()} has rotted") from error

    def _load(self, data_root: bytes) -> dict[int, Chunk]:
        try:
            data = read(self._path(data_root))
        except FileNotFoundError as error:
            raise ChunkUnknown(f"no chunk of 0x{data_root.hex()} is kept here") from error
        try:
            rows: list[Any] = cbor_decode(data, FORM_DEPTH)
            return {i: Chunk(i, part, tuple(path)) for i, part, path in rows}
        except (DepinError, TypeError, ValueError) as error:
            text = f"the chunk file of 0x{data_root.hex()} has rotted"
            raise ChunkLost(text) from error

    def _path(self, data_root: bytes) -> Path:
        name = data_root.hex()
        return self._folder / name[:2] / f"{name}.chunks"
