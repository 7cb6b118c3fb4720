"""What a device needs of the machine it runs on: a clock, a small durable store, a way to post
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Says the time."""

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        ...


class Store(Protocol):
    """Named values that survive power loss; a value is written whole or not at all."""

    def read(self, name: str) -> bytes | None:
        """Return a value, or None when there is none."""
        ...

    def write(self, name: str, value: bytes) -> None:
        """Keep a value; durable on return."""
        ...

    def remove(self, name: str) -> None:
        """Forget a value; nothing happens when there is none."""
        ...

    def names(self) -> list[str]:
        """Return the names of all values, sorted."""
        ...


@dataclass(frozen=True)
class Answer:
    """A gateway's answer."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class Net(Protocol):
    """Posts bytes to a gateway."""

    async def post(self, url: str, content_type: str, body: bytes) -> Answer:
        """Return the answer.

        Raises:
            GatewayAway: no answer came.
        """
        ...
