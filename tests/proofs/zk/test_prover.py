"""Keys, proofs and roots: the engine agrees with plain Python, and altered or foreign keys are
refused.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from opendepin.core.errors import SchemaRejected
from opendepin.core.field_tree import FieldTree
from opendepin.core.journey import Reading
from opendepin.core.layout import Layout
from opendepin.core.schema import Schema
from opendepin.core.statement import FIELD_MODULUS, evaluation
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.errors import EngineFault, KeysRefused
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.engine import Engine, locate
from opendepin.proofs.zk.field import pack, unpack
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.keys import (
    G1_BYTES,
    HEAD_BYTES,
    INFINITY,
    Keys,
    VerificationKey,
    keys_of,
    require_usable,
)
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.native import field_root, holds
from opendepin.proofs.zk.prover import Prover
from opendepin.proofs.zk.solver import solve
from opendepin.proofs.zk.trace import Trace, template
from tests.proofs.zk.circuits import written
from tests.proofs.zk.rules import PACK, SCHEMA, TOTALS

pytestmark = pytest.mark.asyncio(loop_scope="session")

SMALL = assemble(TOTALS).program
READINGS = [Reading(1, 2, 3, (40,)), Reading(5, 6, 7, (80,))]
STATEMENT = (1 << 240) + 5


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(tmp_path: Path) -> AsyncIterator[Prover]:
    """A prover with an engine and a key directory of its own."""
    engine = Engine(locate())
    yield Prover(engine, tmp_path / "keys", network_is_local=True)
    await engine.close()


def any_readings(seed: int, most: int, schema: Schema = SCHEMA) -> list[Reading]:
    """One to `most` readings over the whole range of every lane, some of them at its end."""
    chance = random.Random(seed)

    def drawn(schema: Schema) -> Reading:
        index, observed, seq, *rest = (
            chance.choice((low, high, chance.randint(low, high), min(high, low + 80)))
            for _, low, high in Layout.of(schema).bounds
        )
        return Reading(index, seq, observed, tuple(rest))

    return [drawn(schema) for _ in range(chance.randint(1, most))]


# ------------------------------------------------------------------ it agrees with Python


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("schema", [SCHEMA, PACK], ids=["one word", "words"])
async def test_field_roots_agree(engine: Engine, seed: int, schema: Schema) -> None:
    some, tree = any_readings(seed, 8, schema), FieldTree(Layout.of(schema), 8)
    assert await field_root(engine, some, tree) == tree.root(some)


async def test_field_roots_of_every_count_agree(engine: Engine) -> None:
    some, tree = [Reading(i, i, i, (i,)) for i in range(32)], FieldTree(Layout.of(SCHEMA), 32)
    assert tree.depth == 3
    for count in range(33):
        assert await field_root(engine, some[:count], tree) == tree.root(some[:count])
    with pytest.raises(EngineFault, match="do not fit"):
        await field_root(engine, some * 3, tree)


async def test_a_root_takes_only_lanes(engine: Engine) -> None:
    tree = FieldTree(Layout.of(SCHEMA), 4)
    for wrong in (-1, 1 << 20):
        with pytest.raises(SchemaRejected):
            await field_root(engine, [Reading(wrong, 0, 0, (0,))], tree)


@pytest.mark.parametrize("seed", range(4))
async def test_witnesses_agree(engine: Engine, seed: int) -> None:
    some = any_readings(seed, 8)
    assembled = assemble(CLEAN_AIR.resized(8))
    given_values = assembled.given(some)
    await engine.call("load", assembled.program.text)
    answer = await engine.call(
        "witness",
        pack(given_values),
        circuit=assembled.program.hash.hex(),
        public={"statement": str(STATEMENT)},
    )
    assert unpack(answer.blobs[0]) == solve(
        assembled.circuit, given_values, {"statement": STATEMENT}
    )


# ------------------------------------------------------------------ proofs


async def test_a_proof_holds_for_its_public_inputs_alone(prover: Prover) -> None:
    keys = await prover.keys(SMALL)
    proof = await prover.prove(SMALL, STATEMENT, READINGS)
    out = outputs(TOTALS, READINGS)
    assert proof.public == (STATEMENT, evaluation(out, STATEMENT), TOTALS.tree.root(READINGS))
    assert await holds(prover.engine, keys.vk, proof.raw, proof.public)
    for at in range(3):
        for other in (proof.public[at] ^ 1, proof.public[at] + FIELD_MODULUS, -1):
            changed = [*proof.public[:at], other, *proof.public[at + 1 :]]
            assert not await holds(prover.engine, keys.vk, proof.raw, changed)
    assert not await holds(prover.engine, keys.vk, proof.raw, proof.public[:2])
    assert not await holds(prover.engine, keys.vk, proof.raw, (*proof.public, 0))
    for raw in (b"", proof.raw[:-1], proof.raw + b"\0", bytes(256)):
        assert not await holds(prover.engine, keys.vk, raw, proof.public)


async def test_verification_needs_the_key_alone(prover: Prover) -> None:
    keys = await prover.keys(SMALL)
    proof = await prover.prove(SMALL, STATEMENT, READINGS)
    elsewhere = Engine(locate())
    assert await holds(elsewhere, keys.vk, proof.raw, proof.public)
    await elsewhere.close()


async def test_another_circuits_key_refuses(prover: Prover) -> None:
    await prover.keys(SMALL)
    proof = await prover.prove(SMALL, STATEMENT, READINGS)
    other = await prover.keys(assemble(TOTALS.resized(8)).program)
    assert not await holds(prover.engine, other.vk, proof.raw, proof.public)


async def test_the_same_statement_is_proven_by_ever_other_bytes(prover: Prover) -> None:
    await prover.keys(SMALL)
    first, second = [await prover.prove(SMALL, STATEMENT, READINGS) for _ in range(2)]
    assert first.public == second.public
    assert first.raw != second.raw


async def test_an_unsatisfiable_witness_is_refused(prover: Prover) -> None:
    await prover.keys(SMALL)
    given_values = SMALL.given_of(READINGS)
    given_values[0] = 2
    with pytest.raises(EngineFault) as caught:
        await prover.engine.call(
            "prove",
            pack(given_values),
            circuit=SMALL.hash.hex(),
            public={"statement": "1"},
        )
    assert caught.value.code == "engine-unsatisfied"


async def test_a_prover_finds_its_circuit_again_after_a_crash(fresh: Prover) -> None:
    keys = await fresh.keys(SMALL)
    await fresh.engine.close()
    proof = await fresh.prove(SMALL, STATEMENT, READINGS)
    assert await holds(fresh.engine, keys.vk, proof.raw, proof.public)


async def test_a_public_input_in_no_row_is_bound_too(engine: Engine, tmp_path: Path) -> None:
    """Without guard rows gnark drops such an input: any value of it would verify."""

    def square(trace: Trace, x: Linear) -> list[Linear]:
        return [trace.product(x, x)]

    circuit = Circuit(["out", "spare"], 1)
    circuit.publish("out", *circuit.add_one(template("square", 1, square), *circuit.given))
    made_program = written(circuit)
    await engine.call("load", made_program.text)
    made = await engine.call("setup", circuit=made_program.hash.hex(), path=str(tmp_path))
    keys = keys_of(made.header["keys"])
    answer = await engine.call(
        "prove", pack([3]), circuit=made_program.hash.hex(), public={"spare": "77"}
    )
    assert unpack(answer.blobs[1]) == [9, 77]
    assert await holds(engine, keys.vk, answer.blobs[0], [9, 77])
    assert not await holds(engine, keys.vk, answer.blobs[0], [9, 78])


# ------------------------------------------------------------------ keys


async def test_keys_are_made_once_and_found_again(fresh: Prover, tmp_path: Path) -> None:
    first = await fresh.keys(SMALL)
    other_engine = Engine(locate())
    again = await Prover(other_engine, tmp_path / "keys", network_is_local=True).keys(SMALL)
    await other_engine.close()
    assert first == again
    assert first.circuit == SMALL.hash


async def test_engines_that_start_at_once_use_one_key(tmp_path: Path) -> None:
    engines = [Engine(locate()) for _ in range(3)]
    provers = [Prover(engine, tmp_path, network_is_local=True) for engine in engines]
    made = await asyncio.gather(*(each.keys(SMALL) for each in provers))
    proofs = await asyncio.gather(*(each.prove(SMALL, STATEMENT, READINGS) for each in provers))
    assert len({keys.vk.raw for keys in made}) == 1
    for proof in proofs:
        assert await holds(engines[0], made[0].vk, proof.raw, proof.public)
    for engine in engines:
        await engine.close()


async def test_development_keys_are_marked_and_refused_off_local_networks(
    fresh: Prover, tmp_path: Path
) -> None:
    keys = await fresh.keys(SMALL)
    header = json.loads((tmp_path / "keys" / f"{keys.circuit.hex()}.keys.json").read_text())
    assert header["development"] is True
    require_usable(keys, network_is_local=True)
    require_usable(replace(keys, development=False), network_is_local=False)
    with pytest.raises(KeysRefused) as caught:
        require_usable(keys, network_is_local=False)
    assert caught.value.code == "development-keys"
    abroad = Prover(fresh.engine, tmp_path / "keys", network_is_local=False)
    with pytest.raises(KeysRefused, match="development"):
        await abroad.keys(SMALL)


@pytest.mark.parametrize(
    "what", ["pk byte", "pk cut", "pk gone", "vk byte", "circuit", "engine", "json"]
)
async def test_altered_key_files_are_refused(tmp_path: Path, what: str) -> None:
    engine = Engine(locate())
    name = (await Prover(engine, tmp_path, network_is_local=True).keys(SMALL)).circuit.hex()
    await engine.close()
    pk, head = tmp_path / f"{name}.pk", tmp_path / f"{name}.keys.json"
    _alter(what, pk, head)
    with pytest.raises(KeysRefused):
        await Prover(engine, tmp_path, network_is_local=True).keys(SMALL)
    with pytest.raises(EngineFault) as caught:
        await engine.call("prove", pack(SMALL.given_of(READINGS)), circuit=name, public={})
    assert caught.value.code == "engine-no-keys"
    await engine.close()


def _alter(what: str, pk: Path, head: Path) -> None:
    header = json.loads(head.read_text())
    if what == "pk byte":
        raw = bytearray(pk.read_bytes())
        raw[len(raw) // 2] ^= 1
        pk.write_bytes(raw)
    elif what == "pk cut":
        pk.write_bytes(pk.read_bytes()[:-1])
    elif what == "pk gone":
        pk.unlink()
    elif what == "vk byte":
        header["vk"] = header["vk"][:-1] + ("0" if header["vk"][-1] != "0" else "1")
    elif what == "circuit":
        header["circuit"] = "00" * 32
    elif what == "engine":
        header["engine"] = "another"
    head.write_text("{" if what == "json" else json.dumps(header))


async def test_a_key_with_an_unbound_input_is_refused(prover: Prover) -> None:
    raw = (await prover.keys(SMALL)).vk.raw
    unbound = raw[: HEAD_BYTES + G1_BYTES] + INFINITY + raw[HEAD_BYTES + 2 * G1_BYTES :]
    with pytest.raises(KeysRefused, match="bound by no constraint"):
        VerificationKey(unbound)
    with pytest.raises(EngineFault) as caught:
        await prover.engine.call("verify", unbound, bytes(256), pack([0, 0, 0]))
    assert caught.value.code == "engine-bad-key"


async def test_malformed_keys_are_refused(prover: Prover) -> None:
    raw = (await prover.keys(SMALL)).vk.raw
    for wrong in (
        b"",
        raw[:-1],
        raw[:HEAD_BYTES],
        raw[: HEAD_BYTES + G1_BYTES],
        b"\xff" * len(raw),
    ):
        with pytest.raises(KeysRefused):
            VerificationKey(wrong)
    for header in ({}, {"circuit": "zz", "vk": "", "development": True}):
        with pytest.raises(KeysRefused):
            keys_of(header)
    good = {"circuit": "00" * 32, "vk": raw.hex(), "development": True}
    assert keys_of(good) == Keys(bytes(32), True, VerificationKey(raw))
    with pytest.raises(KeysRefused, match="development"):
        keys_of({**good, "development": "no"})
