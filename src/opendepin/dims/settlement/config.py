"""What an operator's settlement is set up with; every limit of the room stands here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SettlementConfig:
    """For which operator and network, how eager, how often."""

    operator: bytes
    """Address of this operator's account, 20 bytes."""
    draw_delay: int
    """L1 blocks from opening to the seed block, as the contract has it."""
    window_s: int = 120
    """Seconds an operator has, as the contract has it."""
    poll_s: float = 0.5
    """Pause between two looks."""
    stagger_s: float = 4.0
    """An operator leaves this much time to each one whose turn is before its own, so that two
    seldom pay for the same call.
    """
    retry_s: float = 5.0
    """Pause before a segment that could not be opened (no program, no funds) is looked at again."""
    batches_at_once: int = 8
    """Batches opened in one look."""
    tasks_at_once: int = 64
    """Tasks looked at in one look, the oldest first."""
    settle_at_once: int = 16
    """Proofs of one program settled by one call, at most."""
    claims: bool = False
    """Claim the pay of `owners` out of tasks that this operator settled."""
    owners: frozenset[bytes] = frozenset()
    """Device owners whose pay is claimed."""
