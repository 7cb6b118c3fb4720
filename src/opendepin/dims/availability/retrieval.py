"""Reading a body back from any half of its chunks, and sampling whether that is possible.

In: a batch header, the stores. Out: the verified body; how sure one may be of it; a proof when the
code is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from opendepin.core.batch import BatchHeader
from opendepin.core.chunks import Chunk
from opendepin.core.errors import DepinError
from opendepin.dims.availability.errors import StoreAway, TooFewChunks
from opendepin.dims.availability.ports import Attester, Code, Sampled
from opendepin.runtime.chance import Chance


class Retrieval:
    """`read` and `sample` of the availability port; store j of s keeps the chunks i with i % s ==
    j.
    """

    def __init__(self, stores: Sequence[Attester], code: Code, chance: Chance, events: Any) -> None:
        self._stores, self._code, self._chance, self._events = stores, code, chance, events

    async def read(self, header: BatchHeader) -> bytes:
        """Return the body, verified against the header; see the port."""
        chunks = await self.chunks(header.data_root)
        restore = (chunks, header.data_root, header.data_bytes)
        return await asyncio.to_thread(self._code.restore, *restore)

    async def chunks(self, data_root: bytes) -> list[Chunk]:
        """Return k verified chunks, those of the body itself first.

        Raises:
            TooFewChunks: fewer can be had.
        """
        found: list[Chunk] = []
        untried = list(range(self._code.total))
        away: set[int] = set()
        while len(found) < self._code.data_chunks:
            wanted = [i for i in untried if i % len(self._stores) not in away]
            wanted = wanted[: self._code.data_chunks - len(found)]
            if not wanted:
                text = f"{len(found)} chunks came, {self._code.data_chunks} restore the body"
                raise TooFewChunks(text)
            untried = [i for i in untried if i not in wanted]
            answers = await asyncio.gather(*(self._try(data_root, i) for i in wanted))
            for index, answer in zip(wanted, answers, strict=True):
                if isinstance(answer, Chunk):
                    found.append(answer)
                elif isinstance(answer, StoreAway):
                    away.add(index % len(self._stores))
        return found

    async def sample(self, header: BatchHeader, samples: int) -> Sampled:
        """Ask for `samples` different chunks at random; see the port."""
        indices = list(range(self._code.total))
        for at in range(len(indices) - 1, 0, -1):
            other = self._chance.below(at + 1)
            indices[at], indices[other] = indices[other], indices[at]
        asked = tuple(indices[:samples])
        answers = await asyncio.gather(*(self._try(header.data_root, i) for i in asked))
        missing = (i for i, a in zip(asked, answers, strict=True) if not isinstance(a, Chunk))
        return Sampled(asked, tuple(missing), self._code.error(len(asked)))

    async def _try(self, data_root: bytes, index: int) -> Chunk | DepinError:
        try:
            return await self._stores[index % len(self._stores)].chunk(data_root, index)
        except DepinError as error:
            self._events.warning("chunk not had", index=index, code=error.code, text=str(error))
            return error
