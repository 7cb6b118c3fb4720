"""Proofs of two rules against snarkjs on the same constraints and witness, interleaved in one run.

*single* is the demo's rule, one value a message: ≥ 140 readings/s. *packed* is a filter with
grouped count, sum, min and max over messages of 24 values (`packed.py`): ≥ 1,000 readings/s. Both:
≥ 8 × snarkjs; verifier call ≤ 210,000 gas, with the range checks and the evaluation of the outputs
≤ 265,000. snarkjs proves from a `.zkey` that a build of the engine for benchmarks writes; it starts
as a process each time and reads its key, as its users do. `--readings 16` is a quick look.

Where the time goes, by a CPU profile of the engine (gnark v0.14, 120,288 rows, 2.4 s of CPU): four
multi-exponentiations in G1 55 %, the one in G2 20 %, seven FFTs and the products between them 15 %,
the rest is sorting scalars and solving; the witness is computed in 0.1 s before. All but the last
grows with rows and wires, so what helps is fewer rows, and rows that fill a power of two.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boa

from benchmarks.packed import PACKED, messages
from opendepin.core.journey import Reading
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.demo.readings import recorded
from opendepin.proofs.zk import integers
from opendepin.proofs.zk.assembly import Assembled, assemble
from opendepin.proofs.zk.engine import Engine, Timeouts, locate
from opendepin.proofs.zk.field import unpack
from opendepin.proofs.zk.formats import r1cs, wtns
from opendepin.proofs.zk.keys import Keys
from opendepin.proofs.zk.native import field_root, holds
from opendepin.proofs.zk.prover import Proof, Prover
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.verifier import verifier

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".build" / "bench" / "prove.json"
PEER_ENGINE = ROOT / ".build" / "bin" / "opendepin-groth16-peer"
SNARKJS = ROOT / "node_modules" / "snarkjs" / "build" / "cli.cjs"
STATEMENT = (1 << 247) + 1
LEAST_RATIO = 8.0
LEAST_READINGS_PER_S = {"single": 140.0, "packed": 1_000.0}
MOST = {"verify_gas": 210_000, "check_gas": 265_000}


def peer_engine() -> Path:
    """Build the engine that can also write a `.zkey`."""
    go = shutil.which("go", path=f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}")
    if go is None:
        raise SystemExit("no go: run `make setup-dev`")
    command = [go, "build", "-trimpath", "-tags", "peer", "-o", str(PEER_ENGINE), "."]
    settings = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    subprocess.run(command, cwd=ROOT / "engines" / "groth16", env=settings, check=True)
    return PEER_ENGINE


def snarkjs(*arguments: str | Path) -> float:
    """Run snarkjs; returns its wall time in seconds."""
    begun = time.perf_counter()
    command = ["node", str(SNARKJS), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    return time.perf_counter() - begun


async def write_files(folder: Path, assembled: Assembled, wires: Sequence[int]) -> float:
    """Write circuit, witness and key for snarkjs; returns how long the circuit took to write."""
    begun = time.perf_counter()
    with (folder / "rule.r1cs").open("wb") as out:
        out.writelines(r1cs(assembled.circuit))
    seconds = time.perf_counter() - begun
    (folder / "rule.wtns").write_bytes(wtns(wires))
    engine = Engine(peer_engine(), timeouts=Timeouts(other=1_800.0))
    circuit = assembled.program.hash.hex()
    await engine.call("load", assembled.program.text)
    await engine.call("zkey", circuit=circuit, path=str(folder / "rule.zkey"))
    await engine.close()
    return seconds


def gas_of(keys: Keys, assembled: Assembled, proof: Proof, out: Sequence[int]) -> dict[str, int]:
    """Run the generated contract on a proof; returns the gas of both calls."""
    contract: Any = boa.loads(verifier(keys, assembled.maxima).source)
    words = [int.from_bytes(proof.raw[at : at + 32], "big") for at in range(0, 256, 32)]
    if not contract.verify(words, proof.public):
        raise SystemExit("the contract refuses a true proof")
    verify_gas = contract._computation.get_gas_used()
    if not contract.check(STATEMENT, proof.public[2], list(out), proof.raw):
        raise SystemExit("the contract refuses true outputs")
    check_gas = contract._computation.get_gas_used()
    return {"verify_gas": verify_gas, "check_gas": check_gas, "code_bytes": len(contract.bytecode)}


def case(name: str, count: int | None) -> tuple[Rule, list[Reading]]:
    """Return a case's rule, and readings that fill it."""
    if name == "packed":
        rule = PACKED.resized(count or PACKED.capacity)
        return rule, messages(rule.capacity)
    rule = CLEAN_AIR.resized(count or CLEAN_AIR.capacity)
    rows = enumerate(itertools.islice(recorded(), rule.capacity))
    return rule, [Reading(row.device_index, seq, row.observed_s, (row.value,)) for seq, row in rows]


async def measure(name: str, count: int | None, rounds: int) -> dict[str, Any]:
    """Prove in turn with both, and say how long each took."""
    rule, readings = case(name, count)
    assembled = assemble(rule)
    values = sum(len(reading.values) for reading in readings)
    values -= len(readings) if name == "packed" else 0  # the class is no reading
    engine = Engine(locate())
    prover = Prover(engine, ROOT / ".build" / "keys", network_is_local=True)
    begun = time.perf_counter()
    keys = await prover.keys(assembled.program)
    rows = assembled.program.constraints
    found: dict[str, Any] = {"messages": len(readings), "readings": values, "constraints": rows}
    found["constraints_per_reading"] = rows / values
    found["load_and_keys_s"] = time.perf_counter() - begun
    out = integers.outputs(assembled.rule, readings)
    wires = unpack((await witness(engine, assembled, readings)).blobs[0])
    proof = await prover.prove(assembled.program, STATEMENT, readings)
    ours, theirs, native = [], [], []
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as place:
        folder = Path(place)
        found["r1cs_write_s"] = await write_files(folder, assembled, wires)
        for _ in range(rounds):
            begun = time.perf_counter()
            proof = await prover.prove(assembled.program, STATEMENT, readings)
            ours.append(time.perf_counter() - begun)
            native.append(proof.prove_s)
            files = [folder / each for each in ("rule.zkey", "rule.wtns", "proof", "public")]
            theirs.append(snarkjs("groth16", "prove", *files))
        snarkjs("zkey", "export", "verificationkey", folder / "rule.zkey", folder / "vk.json")
        snarkjs("groth16", "verify", folder / "vk.json", folder / "public", folder / "proof")
        told = json.loads((folder / "public").read_text())
    if [int(value) for value in told] != list(proof.public):
        raise SystemExit("the two proved different public inputs")
    if not await holds(engine, keys.vk, proof.raw, proof.public):
        raise SystemExit("our proof does not verify")
    begun = time.perf_counter()
    await field_root(engine, readings, assembled.program.tree)
    found["field_root_s"] = time.perf_counter() - begun
    await engine.close()
    found |= {"seconds": statistics.median(ours), "runs_s": ours, "prove_s": native,
              "witness_s": proof.witness_s, "snarkjs_s": statistics.median(theirs),
              "snarkjs_runs_s": theirs}  # fmt: skip
    found["ratio"] = found["snarkjs_s"] / found["seconds"]
    found["readings_per_s"] = values / found["seconds"]
    return found | gas_of(keys, assembled, proof, out)


async def witness(engine: Engine, assembled: Assembled, readings: Sequence[Reading]) -> Any:
    """Ask the engine for the whole witness."""
    given = b"".join(value.to_bytes(32, "little") for value in assembled.given(readings))
    circuit = assembled.program.hash.hex()
    return await engine.call(
        "witness", given, circuit=circuit, public={"statement": str(STATEMENT)}
    )


def promised(name: str) -> list[tuple[str, float]]:
    """Return each figure of a case that has a limit, with it."""
    least = [("ratio", LEAST_RATIO), ("readings_per_s", LEAST_READINGS_PER_S[name])]
    return [*least, *MOST.items()]


def main() -> None:
    """Measure, print each promise beside what was found, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=None, help="messages in one proof")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", choices=("single", "packed"), action="append")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    for name in asked.case or ("single", "packed"):
        found[name] = asyncio.run(measure(name, asked.readings, asked.rounds))
        for figure, limit in promised(name):
            value, least = found[name][figure], figure not in MOST
            kept = value >= limit if least else value <= limit
            said = f"promised {'≥' if least else '≤'} {limit:,} {'kept' if kept else 'MISSED'}"
            print(f"{name} {figure}: {value:,.2f}, {said}")
    print(json.dumps(found, indent=1))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
