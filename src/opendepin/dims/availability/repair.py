"""Finding rot in a store's chunk files and fetching what is lost from the other stores.

In: the store, its files, the other stores. Out: whole files again. Promise: what is written back
was restored from k chunks that verify under the data root, and is the one true code of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from opendepin.core.chunks import Chunk
from opendepin.core.errors import DepinError
from opendepin.dims.availability.config import StoreConfig
from opendepin.dims.availability.ports import ChunkFiles, Code
from opendepin.dims.availability.retrieval import Retrieval
from opendepin.dims.availability.service import Store
from opendepin.runtime.service import Stop
from opendepin.runtime.telemetry import Counters


class Repair:
    """Walks through a store's files and mends them."""

    def __init__(
        self,
        store: Store,
        code: Code,
        chunks: ChunkFiles,
        others: Retrieval,
        config: StoreConfig,
        counters: Counters,
        events: Any,
    ) -> None:
        self._store, self._code, self._chunks, self._others = store, code, chunks, others
        self._config, self._counters, self._events = config, counters, events
        self._lost: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1024)

    def lost(self, data_root: bytes) -> None:
        """Note that a file has rotted; it is mended soon."""
        if not self._lost.full():
            self._lost.put_nowait(data_root)

    async def run(self, stop: Stop) -> None:
        """Mend what is noted, and walk through all files from time to time, until the stop."""
        mending = asyncio.create_task(self._mend_noted())
        try:
            while not stop.is_set():
                await self.scrub(stop)
                await stop.sleep(self._config.scrub_every_s)
        finally:
            mending.cancel()
            await asyncio.gather(mending, return_exceptions=True)

    async def scrub(self, stop: Stop) -> int:
        """Check the files of all attested batches once; return how many were mended."""
        mended, number = 0, 0
        while number < self._store.position.number and not stop.is_set():
            number += 1
            header = self._store.record(number).header
            if not await asyncio.to_thread(self._chunks.sound, header.data_root, self._store.mine):
                mended += await self.mend(header.data_root)
            await stop.sleep(self._config.scrub_pause_s)
        return mended

    async def mend(self, data_root: bytes) -> bool:
        """Fetch a batch's chunks from the other stores and write ours anew; False when too few
        came.
        """
        try:
            parts = await self._others.chunks(data_root)
            await asyncio.to_thread(self._rewrite, data_root, parts)
        except DepinError as error:
            self._counters.add("chunks.lost")
            self._events.error("not mended", root=data_root, code=error.code, text=str(error))
            return False
        self._counters.add("chunks.mended")
        self._events.warning("chunks mended", root=data_root)
        return True

    async def _mend_noted(self) -> None:
        while True:
            data_root = await self._lost.get()
            if not await asyncio.to_thread(self._chunks.sound, data_root, self._store.mine):
                await self.mend(data_root)

    def _rewrite(self, data_root: bytes, parts: list[Chunk]) -> None:
        size = len(parts[0].data) * self._code.data_chunks
        coded = self._code.encode(self._code.restore(parts, data_root, size))
        self._chunks.write(data_root, [coded.chunk(index) for index in self._store.mine])
