"""The proof kind `zk`: Groth16 over BN254 of a program's circuit.

What a proof shows: the outputs are what the program gives over exactly the readings under the field
root, all of them. What it does not show: who signed the readings (attesters check that outside), or
that they are true. See `docs/explanation/zero-knowledge.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS, evaluation
from opendepin.proofs.errors import EnvelopeRejected, OutputsRejected, ProofInvalid, RuleBroken
from opendepin.proofs.ports import Envelope
from opendepin.proofs.workplace import Workplace
from opendepin.proofs.zk.engine import Engine, locate
from opendepin.proofs.zk.keys import Keys, VerificationKey
from opendepin.proofs.zk.native import holds
from opendepin.proofs.zk.opening import open_program
from opendepin.proofs.zk.program import Program
from opendepin.proofs.zk.prover import Prover

KIND = "zk"
STATEMENT_BITS = 248


def check_outputs(outputs: Sequence[int], maxima: Sequence[int]) -> None:
    """Demand exactly as many outputs as the program declares, each within its range.

    Raises:
        OutputsRejected: otherwise `out + r` or a trailing zero would give the same evaluation.
    """
    if len(outputs) != len(maxima):
        raise OutputsRejected(f"{len(outputs)} outputs where the program has {len(maxima)}")
    for at, (output, maximum) in enumerate(zip(outputs, maxima, strict=True)):
        if not 0 <= output <= maximum:
            raise OutputsRejected(f"output {at} = {output} is outside 0..{maximum}")


async def verify(
    engine: Engine,
    vk: VerificationKey,
    maxima: Sequence[int],
    statement: int,
    field_root: int,
    outputs: Sequence[int],
    proof: bytes,
) -> None:
    """Do what the verifier contract does, natively: ranges, evaluation, pairing.

    Raises:
        OutputsRejected: see `check_outputs`.
        ProofInvalid: a public input is out of range, or the proof does not hold.
    """
    check_outputs(outputs, maxima)
    if not 0 <= statement < 1 << STATEMENT_BITS or not 0 <= field_root < FIELD_MODULUS:
        raise ProofInvalid("statement or field root is out of range")
    public = (statement, evaluation(outputs, statement), field_root)
    if not await holds(engine, vk, proof, public):
        raise ProofInvalid("the proof does not hold for this statement, outputs and field root")


class ZkKind:
    """`ProofKind` for one program."""

    kind = KIND

    def __init__(self, prover: Prover, opened: Program, keys: Keys) -> None:
        self._prover = prover
        self.opened, self.keys = opened, keys

    @property
    def program(self) -> bytes:
        """The circuit hash."""
        return self.opened.hash

    async def outputs(self, readings: Sequence[Reading]) -> tuple[int, ...]:
        """Return what the program gives over the readings, by running it in the engine."""
        return await self._prover.outputs(self.opened, readings)

    async def prove(self, statement: int, readings: Sequence[Reading]) -> Envelope:
        """Prove the program's outputs over the readings for one statement."""
        outputs = await self.outputs(readings)
        proof = await self._prover.prove(self.opened, statement, readings)
        if proof.public[:2] != (statement, evaluation(outputs, statement)):
            raise RuleBroken("the program's outputs and its proof's evaluation disagree")
        return Envelope(KIND, self.program, outputs, proof.raw)

    async def verify(self, statement: int, field_root: int, envelope: Envelope) -> None:
        """Accept an envelope, or raise what is wrong with it."""
        if envelope.kind != KIND or envelope.program != self.program:
            raise EnvelopeRejected(f"not a {KIND} proof of circuit {self.program.hex()[:16]}")
        await verify(
            self._prover.engine,
            self.keys.vk,
            self.opened.maxima,
            statement,
            field_root,
            envelope.outputs,
            envelope.proof,
        )

    async def close(self) -> None:
        """End the engine."""
        await self._prover.engine.close()


async def open_zk(text: bytes, workplace: Workplace) -> ZkKind:
    """Open the kind for one program's text: start an engine, make or load its keys.

    Raises:
        ProgramRejected: the text is no program.
        KeysRefused: its keys must not be used here.
    """
    program = await asyncio.to_thread(open_program, text)
    prover = Prover(
        Engine(locate()), workplace.keys_dir, network_is_local=workplace.network_is_local
    )
    return ZkKind(prover, program, await prover.keys(program))
