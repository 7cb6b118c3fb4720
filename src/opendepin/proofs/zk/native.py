"""What the engine does without any circuit: verify a proof, compute field roots of readings."""

from __future__ import annotations

from collections.abc import Sequence

from opendepin.core.field_tree import FieldTree
from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.field import pack, unpack
from opendepin.proofs.zk.keys import VerificationKey

PROOF_BYTES = 256


async def holds(engine: Engine, vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
    """Say whether a proof holds for public inputs under a key; needs no circuit."""
    shaped = len(proof) == PROOF_BYTES and len(public) == len(vk.inputs) - 1
    if not shaped or any(not 0 <= value < FIELD_MODULUS for value in public):
        return False
    answer = await engine.call("verify", vk.raw, proof, pack(public))
    return answer.header.get("ok") is True


async def field_root(engine: Engine, readings: Sequence[Reading], tree: FieldTree) -> int:
    """Return the field root of readings, as `FieldTree.root` computes it, some 50 times faster.

    Raises:
        SchemaRejected: code `layout`, a reading does not fit the tree's layout.
        EngineFault: more readings than the tree has room for.
    """
    words = pack(tree.layout.pack_all(readings))
    answer = await engine.call("field_root", words, depth=tree.depth, count=len(readings))
    return unpack(answer.blobs[0])[0]
