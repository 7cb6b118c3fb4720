"""What an operator's compute is set up with; every limit of the room stands here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ComputeConfig:
    """Who proves, for which network, how much at once and how long."""

    network_id: bytes
    settlement: bytes
    """Address of the settlement contract, 20 bytes."""
    operator: bytes
    """Address of this operator, 20 bytes."""
    gateways: frozenset[bytes]
    proofs: int = 1
    """Proofs made at once; one already uses every core."""
    ahead: int = 1
    """Tasks read and computed while proofs are being made."""
    poll_s: float = 0.5
    """Pause between two looks at the assignments."""
    read_timeout_s: float = 60.0
    """For header, body and key histories of one task."""
    prove_timeout_s: float = 300.0
    retry_s: float = 1.0
    """Pause after a task failed first; it doubles each time."""
    max_retry_s: float = 60.0
    again_s: float = 30.0
    """A proof whose task is still assigned to us after this is handed over again."""
    finish_s: float = 0.0
    """A task is not begun this close to its deadline."""
