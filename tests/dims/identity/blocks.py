"""A registry in memory: blocks with changes that can be final, taken back, or told wrongly."""

from __future__ import annotations

from dataclasses import dataclass, replace

from opendepin.chain.errors import NodeAway
from opendepin.chain.ports import Final
from opendepin.core.encodings import keccak256
from opendepin.core.identity import NO_HISTORY, KeyChange, Status, accumulate, extend
from opendepin.core.keys import Key
from opendepin.dims.identity.ports import Changes, Entry, Project

LABEL = "in memory"


@dataclass(frozen=True)
class Block:
    """One block and what it changes."""

    hash: bytes
    changes: tuple[KeyChange, ...] = ()
    projects: tuple[Project, ...] = ()


class Blocks:
    """Implements `ports.Registry`; block 0 is empty and final."""

    def __init__(self) -> None:
        self.chain = [Block(keccak256(b"genesis"))]
        self.final_height = 0
        self.away = False
        self.calls = 0
        self.drop: int | None = None
        """Leave out the change at this place of every answer."""

    @property
    def head(self) -> int:
        """The newest height."""
        return len(self.chain) - 1

    def add(
        self, *changes: KeyChange, projects: tuple[Project, ...] = (), fork: bytes = b""
    ) -> int:
        """Mine a block with these changes (their `from_block` becomes its height)."""
        height = len(self.chain)
        placed = tuple(replace(change, from_block=height) for change in changes)
        hashed = keccak256(self.chain[-1].hash + repr(placed).encode() + fork)
        self.chain.append(Block(hashed, placed, projects))
        return height

    def empty(self, blocks: int) -> None:
        """Mine blocks without changes."""
        for _ in range(blocks):
            self.add()

    def rewind(self, blocks: int) -> None:
        """Take the newest blocks back."""
        del self.chain[len(self.chain) - blocks :]

    def history(self, device: bytes, last: int) -> tuple[KeyChange, ...]:
        """A device's changes in blocks up to `last`."""
        rows = [change for block in self.chain[: last + 1] for change in block.changes]
        return tuple(change for change in rows if change.device == device)

    async def height(self) -> int:
        self._check()
        return self.head

    async def final(self) -> Final:
        self._check()
        return Final(self.final_height, self.chain[self.final_height].hash, LABEL)

    async def hash_at(self, height: int) -> bytes | None:
        self._check()
        return self.chain[height].hash if height < len(self.chain) else None

    async def changes(self, first: int, last: int) -> Changes:
        self._check()
        entries: list[Entry] = []
        accumulators: dict[bytes, bytes] = {}
        for block in self.chain[first : last + 1]:
            for change in block.changes:
                before = accumulators.get(change.device)
                if before is None:
                    before = accumulate(self.history(change.device, first - 1)) or NO_HISTORY
                accumulators[change.device] = extend(before, change)
                entries.append(Entry(change, accumulators[change.device]))
        if self.drop is not None:
            del entries[self.drop : self.drop + 1]
        projects = tuple(p for block in self.chain[first : last + 1] for p in block.projects)
        return Changes(tuple(entries), projects)

    def _check(self) -> None:
        self.calls += 1
        if self.away:
            raise NodeAway("the node does not answer")


def registered(key: Key, project: int = 1, index: int = 0) -> KeyChange:
    """The first entry of a device."""
    return KeyChange(key.address, Status.ACTIVE, project, index, key.public, 0)
