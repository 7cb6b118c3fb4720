"""The door to chance."""

from __future__ import annotations

import random
import secrets
from typing import Protocol


class Chance(Protocol):
    """Where a room takes chance from."""

    def token(self, n: int) -> bytes:
        """Return n unpredictable bytes."""
        ...

    def below(self, n: int) -> int:
        """Return an integer in 0..n-1, each as likely."""
        ...


class SystemChance:
    """The machine's cryptographic chance: for keys, chain ids and nonces."""

    def token(self, n: int) -> bytes:
        """Return n bytes from the operating system."""
        return secrets.token_bytes(n)

    def below(self, n: int) -> int:
        """Return an integer in 0..n-1 from the operating system."""
        return secrets.randbelow(n)


class SeededChance:
    """Chance that repeats from a seed: for tests, load and replays, never for keys."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable is the point

    def token(self, n: int) -> bytes:
        """Return the seed's next n bytes."""
        return self._random.randbytes(n)

    def below(self, n: int) -> int:
        """Return the seed's next integer in 0..n-1."""
        return self._random.randrange(n)
