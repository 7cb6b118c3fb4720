"""What operators ask of the engine: keys and proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opendepin.core.journey import Reading
from opendepin.proofs.errors import EngineFault, KeysRefused
from opendepin.proofs.zk.assembly import PUBLIC, Assembled
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.field import pack, unpack
from opendepin.proofs.zk.keys import Keys, keys_of, require_usable
from opendepin.proofs.zk.pipe import Answer


@dataclass(frozen=True)
class Proof:
    """One proof with what it is about and what it cost."""

    raw: bytes
    """A, B, C as eight big-endian words in the order of the EVM's pairing precompile."""
    public: tuple[int, ...]
    """statement, evaluation, field root"""
    witness_s: float
    prove_s: float


class Prover:
    """An engine with a directory of keys."""

    def __init__(self, engine: Engine, keys_dir: Path, *, network_is_local: bool) -> None:
        self.engine, self._keys_dir = engine, keys_dir
        self._network_is_local = network_is_local

    async def keys(self, assembled: Assembled) -> Keys:
        """Load a circuit and its keys, which are made on first use (development keys) and cached by
        circuit hash.

        Raises:
            KeysRefused: code `development-keys` off a local network; `keys-refused` when the files
            were altered. EngineFault: the engine failed.
        """
        program = assembled.program
        await self.engine.call("load", program.text)
        try:
            answer = await self.engine.call(
                "setup", circuit=program.hash.hex(), path=str(self._keys_dir)
            )
        except EngineFault as error:
            if error.code == "engine-bad-key":
                raise KeysRefused(str(error)) from error
            raise
        keys = keys_of(answer.header["keys"])
        if keys.circuit != program.hash:
            raise KeysRefused("the engine answers with keys of another circuit")
        require_usable(keys, network_is_local=self._network_is_local)
        return keys

    async def prove(
        self, assembled: Assembled, statement: int, readings: Sequence[Reading]
    ) -> Proof:
        """Prove what the rule gives over these readings, for one statement.

        Raises:
            ReadingsRejected: the circuit does not take them.
            EngineFault: the engine failed; code `engine-unsatisfied` if no proof exists.
        """
        given = pack(assembled.given(readings))
        try:
            answer = await self._prove(assembled, statement, given)
        except EngineFault as error:
            if error.code not in ("engine-not-loaded", "engine-no-keys"):
                raise
            await self.keys(assembled)
            answer = await self._prove(assembled, statement, given)
        raw, public = answer.blobs
        return Proof(
            raw, tuple(unpack(public)), answer.header["witness_s"], answer.header["prove_s"]
        )

    async def _prove(self, assembled: Assembled, statement: int, given: bytes) -> Answer:
        public = {PUBLIC[0]: str(statement)}
        return await self.engine.call(
            "prove", given, circuit=assembled.program.hash.hex(), public=public
        )
