"""What the engine does without any circuit: verify a proof, compute field roots of readings."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from opendepin.core.errors import EncodingRejected
from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.field import pack, unpack
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.proofs.zk.rule import lanes

PROOF_BYTES = 256


async def holds(engine: Engine, vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
    """Say whether a proof holds for public inputs under a key; needs no circuit."""
    shaped = len(proof) == PROOF_BYTES and len(public) == len(vk.inputs) - 1
    if not shaped or any(not 0 <= value < FIELD_MODULUS for value in public):
        return False
    answer = await engine.call("verify", vk.raw, proof, pack(public))
    return answer.header.get("ok") is True


async def field_root(engine: Engine, readings: Sequence[Reading], depth: int) -> int:
    """Return the field root of readings, as `core.poseidon` computes it, some 50 times faster.

    Raises:
        EncodingRejected: a lane is no unsigned 64-bit integer.
    """
    try:
        packed = b"".join(struct.pack("<4Q", *lanes(reading)) for reading in readings)
    except struct.error as error:
        raise EncodingRejected(f"not a reading: {error}", code="field-element") from error
    answer = await engine.call("field_root", packed, depth=depth)
    return unpack(answer.blobs[0])[0]
