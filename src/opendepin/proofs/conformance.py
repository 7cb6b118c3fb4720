"""The kit every proof kind passes: honest proofs are accepted, and every forged input is refused.

A third party runs it on its own kind: `failures = await conform(kind, readings, field_root,
statement)`; an empty list is a pass. All kinds are held to the same cases, because contracts and
verifiers treat their envelopes alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from opendepin.core.errors import ProofRejected
from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.ports import Envelope, ProofKind


@dataclass(frozen=True)
class Forgery:
    """One thing a verifier must refuse."""

    name: str
    statement: int
    field_root: int
    envelope: Envelope


def forgeries(statement: int, field_root: int, envelope: Envelope) -> Iterator[Forgery]:
    """Yield altered forms of an accepted envelope and of what it is verified against."""

    def altered(name: str, **changes: object) -> Forgery:
        return Forgery(name, statement, field_root, replace(envelope, **changes))

    yield Forgery("another statement", statement ^ 1, field_root, envelope)
    yield Forgery("a statement shifted by r", statement + FIELD_MODULUS, field_root, envelope)
    yield Forgery("another field root", statement, (field_root + 1) % FIELD_MODULUS, envelope)
    yield Forgery("a field root shifted by r", statement, field_root + FIELD_MODULUS, envelope)
    yield altered("another kind", kind=envelope.kind + "-2")
    yield altered("another program", program=bytes(32))
    yield from (altered(name, outputs=outputs) for name, outputs in _outputs(envelope.outputs))
    yield from (altered(name, proof=proof) for name, proof in _proofs(envelope.proof))


async def conform(
    kind: ProofKind, readings: Sequence[Reading], field_root: int, statement: int
) -> list[str]:
    """Run the kit; returns one line per failure.

    Args:
        kind: what is tested, open for one program.
        readings: at least two, whose outputs change when the last one is left out.
        field_root: what they commit to.
        statement: any number below 2**248.
    """
    failures: list[str] = []
    envelope = await kind.prove(statement, readings)
    if envelope.outputs != await kind.outputs(readings) or len(set(envelope.outputs)) < 2:
        failures.append("outputs: the envelope's are not the program's, or all are alike")
    if not await _accepted(kind, statement, field_root, envelope):
        failures.append("honest: the proof of these readings is refused")
    shorter = await kind.prove(statement, readings[:-1])
    forged = [
        *forgeries(statement, field_root, envelope),
        Forgery("a reading left out", statement, field_root, shorter),
        Forgery("another proof", statement, field_root, replace(envelope, proof=shorter.proof)),
    ]
    return failures + [
        f"forged: {each.name} is accepted"
        for each in forged
        if await _accepted(kind, each.statement, each.field_root, each.envelope)
    ]


async def _accepted(kind: ProofKind, statement: int, field_root: int, envelope: Envelope) -> bool:
    try:
        await kind.verify(statement, field_root, envelope)
    except ProofRejected:
        return False
    return True


def _outputs(outputs: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for at in {0, len(outputs) // 2, len(outputs) - 1}:
        for name, other in (
            ("one more", outputs[at] + 1),
            ("shifted by r", outputs[at] + FIELD_MODULUS),
            ("negative", -1 - outputs[at]),
        ):
            yield f"output {at} {name}", (*outputs[:at], other, *outputs[at + 1 :])
    yield "an extra zero output", (*outputs, 0)
    yield "a missing output", outputs[:-1]
    yield "no outputs", ()
    yield "outputs in reverse", outputs[::-1]


def _proofs(proof: bytes) -> Iterator[tuple[str, bytes]]:
    yield "no proof", b""
    yield "a proof of zeros", bytes(len(proof))
    yield "a proof cut short", proof[:-1]
    yield "a proof with a byte more", proof + b"\0"
    for at in range(0, len(proof), max(1, len(proof) // 16)):
        yield f"proof byte {at} altered", proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]
