"""What a gateway is told, and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.core.limits import (
    MAX_GROUP_MESSAGES,
    MAX_MESSAGE_AGE_MS,
    MAX_MESSAGE_AHEAD_MS,
    MAX_MESSAGE_BYTES,
)

MAX_FRAME_BYTES = MAX_GROUP_MESSAGES * MAX_MESSAGE_BYTES
"""Largest body of a frame."""
MAX_FEED_GROUPS = 1_024
"""Most groups in one answer of the feed."""
MAX_FEED_BYTES = 16 << 20
"""Largest answer of a gateway that a client reads: one read of the stage log and the group after
it.
"""
MAX_FEED_WAIT_MS = 20_000
"""Longest time that a reader of the feed may wait for a new group."""
CHECKPOINT_MESSAGES = 65_536
"""The index is written after this many messages (or as many as there are devices, if more)."""
CACHED_GROUPS = 64
"""Groups kept decoded for repeats and look-ups."""
LOOKUPS_PER_S = 200.0
"""Old groups read from disk for repeats and look-ups in the long run; each costs some
milliseconds."""
LOOKUPS_BURST = 2_000
BUSY_RETRY_S = 1.0
"""Time to wait that a full queue answers."""
CHANGING_RETRY_S = 5.0
"""Time to wait that a device in mid-change is answered: about what Layer 1 takes to finality."""
STOPPED_RETRY_S = 15.0
"""Time to wait that a message of a stopped lane is answered."""


@dataclass(frozen=True)
class GatewayConfig:
    """Parameters of one gateway."""

    network_id: bytes
    max_age_ms: int = MAX_MESSAGE_AGE_MS
    """A message signed longer ago is refused."""
    max_ahead_ms: int = MAX_MESSAGE_AHEAD_MS
    """A message signed further in the future is refused."""
    device_rate_per_s: float = 20.0
    device_burst: int = 1_000
    project_rate_per_s: float = 20_000.0
    project_burst: int = 100_000
    group_wait_ms: float = 2.0
    """A message waits at most this long for others before its group is closed."""
    group_messages: int = MAX_GROUP_MESSAGES
    """Most messages in a group."""
    include_within_blocks: int = 120
    """`include_by_block` is the L1 height at the commit plus this."""
    watch_s: float = 1.0
    """Pause between two looks at what Layer 1 holds of the lanes."""
    queue_messages: int = 8_192
    """Messages that may wait for the disk; more are refused `busy`."""
    inflight_bytes: int = 64 << 20
    """Bytes of requests in work at once; more are refused `busy`."""
    checkpoint_messages: int = CHECKPOINT_MESSAGES
