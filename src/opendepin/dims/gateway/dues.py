"""What a gateway has promised and Layer 1 may not hold yet: per lane, up to which position messages
are due by which block. Pure.

In: committed groups, in order; what the inbox covers. Out: the promise that is broken, if one is. A
broken promise stops its lane: what cannot be ordered before has nothing ordered after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Due(NamedTuple):
    """Consecutive messages of a lane that are due by the same block."""

    last: int
    """Position of the last of them."""
    block: int
    """`include_by_block` of their groups."""


@dataclass(frozen=True)
class Seen:
    """What Layer 1 holds of a gateway's lanes."""

    height: int
    """An L1 height that the positions are at least as new as."""
    covered: Mapping[int, int]
    """Project → position up to which batches hold its lane."""


class Broken(NamedTuple):
    """A promise that was not kept: the lane's oldest messages that are in no batch."""

    position: int
    """First position that is in no batch."""
    block: int
    """Block by which it was due."""


def promise(dues: list[Due], last: int, block: int) -> None:
    """Add a group that ends at position `last` and is due by `block`."""
    if dues and dues[-1].block == block:
        dues.pop()
    dues.append(Due(last, block))


def keep(dues: list[Due], covered: int) -> None:
    """Forget what is covered."""
    kept = next((i for i, due in enumerate(dues) if due.last > covered), len(dues))
    del dues[:kept]


def broken(dues: list[Due], covered: int, height: int) -> Broken | None:
    """Return the promise that was not kept: its block is there, and its oldest message in no
    batch.
    """
    due = next((due for due in dues if due.last > covered), None)
    if due is None or height < due.block:
        return None
    return Broken(covered + 1, due.block)
