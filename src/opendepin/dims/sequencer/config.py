"""What a sequencer is set up with; every limit of the room stands here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SequencerConfig:
    """When a batch is sealed (whichever limit is met first), and how it goes on."""

    network_id: bytes
    max_messages: int = 256
    """Messages in one batch; a batch is sealed when the next group would go above."""
    max_bytes: int = 1 << 20
    """Bytes of one batch body, by the sum of its groups; a single larger group makes a batch."""
    max_wait_s: float = 10.0
    """Seconds from the first group in a batch to its sealing."""
    max_identity_age: int = 0
    """The inbox's bound on the age of identity blocks, in L1 blocks; 0 where there is none."""
    identity_margin: int = 32
    """A group this close to that bound is set aside: sealed, it could block the chain for ever."""
    max_in_flight: int = 4
    """Sealed batches that the inbox has not accepted yet."""
    submit_ahead: int = 1
    """Batches handed to the inbox's outbox before the first of them is accepted."""
    feed_limit: int = 64
    """Groups read from a feed at once."""
    poll_s: float = 0.1
    """Pause when a feed has nothing new."""
    watch_s: float = 0.5
    """Pause between two looks at the inbox."""
    retry_s: float = 2.0
    """Pause after the stores or the inbox refused a batch."""
    resubmit_s: float = 30.0
    """A batch that the inbox does not show after this is submitted again."""
    snapshot_every: int = 64
    """Batches between two snapshots of the coverage."""


STATUS_ASIDES = 10
"""Newest groups set aside that the status shows."""
