"""Who is drawn for a task: by stake times score out of a snapshot, with a later block as the seed.

`Operators.draw` has the same rule; whoever knows a snapshot, a task's seed and its attempt says who
came in question, and in which order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from opendepin.core.encodings import abi_encode, domain, keccak256

DRAW_DOMAIN = domain("draw")

PROBES = 8
"""Draws by weight before the next places are taken in turn."""

MAX_TOTAL = (1 << 96) - 1
"""Largest sum of a snapshot's weights."""

ANSWER = bytes.fromhex("600b380380600b5f395ff3")
"""EVM code that answers with everything that follows it."""


@dataclass(frozen=True)
class Member:
    """An operator of a snapshot."""

    operator: bytes
    """Address, 20 bytes."""
    weight: int
    """Stake in units of 10**9 wei, times score."""


def candidates(task: bytes, seed: bytes, attempt: int, weights: Sequence[int]) -> Iterator[int]:
    """Yield the places of a snapshot in the order in which they come in question, with repeats.

    The k-th of the first `PROBES` is the place whose part of the summed weights holds
    keccak(abi.encode(domain, task, seed, attempt, k)) mod sum; after them come the next places, one
    by one, until each came.
    """
    upto = list(accumulate(weights))
    place = 0
    types = ["bytes32", "bytes32", "bytes32", "uint256", "uint256"]
    for probe in range(PROBES + len(weights) - 1):
        if probe < PROBES:
            digest = keccak256(abi_encode(types, [DRAW_DOMAIN, task, seed, attempt, probe]))
            place = bisect_right(upto, int.from_bytes(digest, "big") % upto[-1])
        else:
            place = (place + 1) % len(weights)
        yield place


def drawn(
    task: bytes,
    seed: bytes,
    attempt: int,
    members: Sequence[Member],
    before: bytes | None = None,
    free: Callable[[bytes], bool] = lambda _operator: True,
) -> bytes | None:
    """Return the operator drawn for an attempt, None when nobody is free.

    The first candidate that is free and did not have the task last (`before`); that one only when
    nobody else is free.
    """
    for place in candidates(task, seed, attempt, [member.weight for member in members]):
        found = members[place].operator
        if found != before and free(found):
            return found
    return before if before is not None and free(before) else None


def passed_over(
    task: bytes, seed: bytes, attempt: int, members: Sequence[Member], operator: bytes
) -> int | None:
    """Return how many candidates come before an operator's first turn; None if it has none.

    Those before it were not free, or had the task last, when the contract drew: a snapshot says no
    more than that. At attempt 0, with nobody before it, the draw follows from the snapshot alone.
    """
    weights = [member.weight for member in members]
    places = enumerate(candidates(task, seed, attempt, weights))
    return next((turn for turn, place in places if members[place].operator == operator), None)


def snapshot_address(operators: bytes, version: int, members: Sequence[Member]) -> bytes:
    """Return where the snapshot of these members stands: its CREATE2 address binds them all."""
    upto = accumulate(member.weight for member in members)
    words = b"".join(
        member.operator + total.to_bytes(12, "big")
        for member, total in zip(members, upto, strict=True)
    )
    code = keccak256(ANSWER + ANSWER + words)
    return keccak256(b"\xff" + operators + version.to_bytes(32, "big") + code)[12:]
