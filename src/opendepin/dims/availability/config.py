"""What a store and its clients are set up with; every limit of the room stands here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StoreConfig:
    """One store's place in the network and its limits."""

    network_id: bytes
    sequencer: bytes
    """Address of the sequencer's key."""
    gateways: frozenset[bytes]
    """Addresses of the network's gateways."""
    index: int
    """This store keeps the chunks i with i % stores == index."""
    stores: int
    data_chunks: int = 16
    """k; a body becomes 2k chunks."""
    max_seconds_ahead: int = 60
    """A header sealed further in the future is refused; the inbox contract has the same bound."""
    identity_wait_s: float = 20.0
    """How long an answer waits for the L1 view to reach an identity block."""
    identity_poll_s: float = 0.1
    snapshot_every: int = 64
    """Batches between two snapshots of the coverage."""
    scrub_every_s: float = 600.0
    """Seconds between two walks through all chunk files in search of rot."""
    scrub_pause_s: float = 0.05
    """Pause after each file of such a walk."""


@dataclass(frozen=True)
class DispersalConfig:
    """How batches are brought to the stores."""

    threshold: int
    """t: attestations that the inbox contract asks for."""
    first_backoff_s: float = 0.2
    max_backoff_s: float = 5.0


ATTEST_TIMEOUT_S = 60.0
"""A store's answer to a batch comes within this time, its wait for the L1 included."""

CHUNK_TIMEOUT_S = 5.0
"""A chunk comes within this time, or the next store is asked."""

MAX_CHUNK_ANSWER_BYTES = 32 << 20
"""Largest answer to a request for a chunk that a client reads."""
