"""What operators ask of the engine: keys and proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opendepin.core.journey import Reading
from opendepin.proofs.errors import EngineFault, KeysRefused
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.field import pack, unpack
from opendepin.proofs.zk.keys import Keys, keys_of, require_usable
from opendepin.proofs.zk.pipe import Answer
from opendepin.proofs.zk.program import PUBLIC, Program


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

    async def keys(self, program: Program) -> Keys:
        """Load a circuit and its keys, which are made on first use (development keys) and cached by
        circuit hash.

        Raises:
            KeysRefused: code `development-keys` off a local network; `keys-refused` when the files
            were altered. EngineFault: the engine failed.
        """
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

    async def prove(self, program: Program, statement: int, readings: Sequence[Reading]) -> Proof:
        """Prove what the rule gives over these readings, for one statement.

        Raises:
            ReadingsRejected: the circuit does not take them.
            EngineFault: the engine failed; code `engine-unsatisfied` if no proof exists.
        """
        answer = await self._asked("prove", program, statement, readings)
        raw, public = answer.blobs
        return Proof(
            raw, tuple(unpack(public)), answer.header["witness_s"], answer.header["prove_s"]
        )

    async def outputs(self, program: Program, readings: Sequence[Reading]) -> tuple[int, ...]:
        """Return what the program gives over these readings, without any proof.

        Raises:
            ReadingsRejected: the circuit does not take them.
            EngineFault: the engine failed.
        """
        answer = await self._asked("outputs", program, 0, readings)
        return tuple(unpack(answer.blobs[0]))

    async def _asked(
        self, op: str, program: Program, statement: int, readings: Sequence[Reading]
    ) -> Answer:
        given, public = pack(program.given_of(readings)), {PUBLIC[0]: str(statement)}
        circuit = program.hash.hex()
        try:
            return await self.engine.call(op, given, circuit=circuit, public=public)
        except EngineFault as error:
            if error.code not in ("engine-not-loaded", "engine-no-keys"):
                raise
        await self.keys(program)
        return await self.engine.call(op, given, circuit=circuit, public=public)
