"""Follows the logs of some contracts, block by block in order, and takes blocks back when the chain
does.

In: a `ChainReader`. Out: calls of a `Listener`: `apply` for each span of new blocks, `rewind`
before other blocks take the place of some. The listener keeps the cursor with its own data, so that
both move in one transaction; the follower keeps nothing. A cursor is a list of marks, see
`kept_marks`: a rewind goes to the newest of them that still stands. Final blocks come in long
spans, others one by one, so that a rewind takes back no more than is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from opendepin.chain.errors import FinalTakenBack
from opendepin.chain.header import Header
from opendepin.chain.ports import ChainReader, Final, Log
from opendepin.core.errors import PeerFault
from opendepin.runtime.clock import Clock
from opendepin.runtime.service import Stop


@dataclass(frozen=True)
class Mark:
    """A block the listener has applied."""

    height: int
    hash: bytes
    final: bool = False
    """Whether it was final when it was kept: such a block never goes."""


@dataclass(frozen=True)
class Span:
    """New blocks and their logs."""

    first: int
    last: Header
    """The newest block of the span."""
    logs: tuple[Log, ...]
    """In order; all of blocks first..last."""
    final: Final


def kept_marks(marks: Sequence[Mark], applied: Span) -> list[Mark]:
    """Return the marks to keep after a span: the newest final one, and every one above it."""
    new = [*marks, Mark(applied.last.number, applied.last.hash)]
    final = [at for at, mark in enumerate(new) if mark.height <= applied.final.height]
    if not final:
        return new
    newest = new[final[-1]]
    return [Mark(newest.height, newest.hash, final=True), *new[final[-1] + 1 :]]


class Listener(Protocol):
    """Who follows. Both calls are awaited one at a time; what they raise ends the round."""

    def marks(self) -> Sequence[Mark]:
        """Return what `kept_marks` left, oldest first; the last one is where the listener
        stands.
        """
        ...

    async def apply(self, span: Span) -> None:
        """Apply new blocks, and keep `kept_marks(marks, span)` with the effect."""
        ...

    async def rewind(self, height: int) -> None:
        """Undo every block above `height`, and forget the marks there."""
        ...


@dataclass(frozen=True)
class FollowerConfig:
    """How far and how often it reads."""

    poll_s: float = 0.5
    span_blocks: int = 1_000
    """Most blocks in one `apply`."""
    first_block: int = 0
    """Where a listener without marks begins."""
    only_final: bool = False
    """Apply final blocks alone, which are never rewound."""


@dataclass
class Follower:
    """Drives one listener."""

    chain: ChainReader
    addresses: Sequence[bytes]
    listener: Listener
    clock: Clock
    log: Any
    config: FollowerConfig = field(default_factory=FollowerConfig)
    topics: Sequence[bytes | None] = ()
    on_round: Callable[[int, int], None] = lambda _head, _applied: None
    """Told after each round: the chain's height and the listener's."""

    async def run(self, stop: Stop) -> None:
        """Follow until the stop; a node that is away is waited for.

        Raises:
            FinalTakenBack: a block that was final is gone: the chain is another one.
        """
        while not stop.is_set():
            try:
                while await self.step():
                    if stop.is_set():
                        return
            except PeerFault as error:
                self.log.warning("follower-waits", error=str(error))
            await stop.sleep(self.config.poll_s)

    async def step(self) -> bool:
        """Do one round: rewind when blocks are gone, else apply at most one span; say whether
        more is there.
        """
        final = await self.chain.finalized()
        top = final.height if self.config.only_final else await self.chain.block_number()
        marks = self.listener.marks()
        stands = await self._standing(marks)
        if marks and (stands is None or stands.height < marks[-1].height):
            await self._rewind(stands, marks)
            return True
        first = self.config.first_block if stands is None else stands.height + 1
        if first > top:
            self.on_round(top, first - 1)
            return False
        last = min(max(first, final.height), top, first + self.config.span_blocks - 1)
        span = await self._span(first, last, final, stands)
        if span is None:
            return True
        await self.listener.apply(span)
        self.on_round(top, last)
        return last < top

    async def _standing(self, marks: Sequence[Mark]) -> Mark | None:
        """Return the newest mark that is still a block of the chain."""
        for mark in reversed(marks):
            header = await self.chain.block(mark.height)
            if header is not None and header.hash == mark.hash:
                return mark
        return None

    async def _rewind(self, stands: Mark | None, marks: Sequence[Mark]) -> None:
        base = max((mark.height for mark in marks if mark.final), default=-1)
        if base > (-1 if stands is None else stands.height):
            raise FinalTakenBack(f"block {base}, which was final, is gone: another chain answers")
        height = self.config.first_block - 1 if stands is None else stands.height
        self.log.warning("rewind", to=height, before=marks[-1].height)
        await self.listener.rewind(height)

    async def _span(self, first: int, last: int, final: Final, stands: Mark | None) -> Span | None:
        """Read a span so that logs and headers are of one chain; None when it changed meanwhile."""
        begun = await self.chain.block(first)
        before = await self.chain.block(last)
        if begun is None or before is None:
            return None
        if stands is not None and begun.parent != stands.hash:
            return None
        logs = await self.chain.logs(self.addresses, first, last, self.topics)
        after = await self.chain.block(last)
        if after is None or after.hash != before.hash:
            return None
        if any(log.block == last and log.block_hash != after.hash for log in logs):
            return None
        return Span(first, after, tuple(logs), final)
