"""What every proof kind offers: outputs, a proof of one statement, and its verification.

In: readings and a statement (`core.statement`). Out: an `Envelope`. A kind knows no chain; what a
contract checks of it is the kind's own generated or deployed verifier behind one interface
(`contracts.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.core.journey import Reading


@dataclass(frozen=True)
class Envelope:
    """One result with its proof, whatever kind made it."""

    kind: str
    """Name of the proof kind: `zk`."""
    program: bytes
    """What was run, 32 bytes: for `zk` the circuit hash."""
    outputs: tuple[int, ...]
    proof: bytes


class ProofKind(Protocol):
    """A way to prove one program. `verify` depends on its arguments and keys alone."""

    @property
    def kind(self) -> str:
        """Name of the kind."""
        ...

    @property
    def program(self) -> bytes:
        """What envelopes of this instance say was run, 32 bytes."""
        ...

    async def outputs(self, readings: Sequence[Reading]) -> tuple[int, ...]:
        """Return what the program gives over the readings, without any proof.

        Raises:
            ReadingsRejected: the program does not take them.
        """
        ...

    async def prove(self, statement: int, readings: Sequence[Reading]) -> Envelope:
        """Run the program and prove its outputs for one statement, which must bind their hash."""
        ...

    async def verify(self, statement: int, field_root: int, envelope: Envelope) -> None:
        """Accept an envelope, or say why not.

        Args:
            statement: computed by the caller from what it trusts, never taken from the envelope.
            field_root: commitment to the readings, from the same source.
            envelope: what somebody claims.

        Raises:
            EnvelopeRejected: another kind or program.
            OutputsRejected: not this program's number of outputs, or one out of its range.
            ProofInvalid: the proof does not hold.
        """
        ...

    async def close(self) -> None:
        """Let go of what the kind holds on this machine."""
        ...
