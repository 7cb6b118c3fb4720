"""What the follower of the registry is set up with; every limit of the room stands here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class IdentityConfig:
    """Where to begin, how often to look, how much to hold."""

    first_block: int = 0
    """Height at or below which the registry contracts were made; nothing is read before it."""
    poll_s: float = 0.4
    """Seconds between two looks at Layer 1: well below a block, so that a change counts in time."""
    span_blocks: int = 5_000
    """Most blocks read, checked and taken over at once."""
    slice_entries: int = 500
    """Events that are checked before others get the event loop."""
    max_devices: int = 1 << 22
    """Most devices held; about 1 kB each."""
