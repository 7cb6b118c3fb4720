"""Our circuit and witness files are the ones circom's tools read; snarkjs is the judge."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from opendepin.core.journey import Reading
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.formats import r1cs, wtns
from opendepin.proofs.zk.solver import solve

ROOT = Path(__file__).parents[3]
SNARKJS = ROOT / "node_modules" / "snarkjs" / "build" / "cli.cjs"
ASSEMBLED = assemble(CLEAN_AIR.resized(4))
READINGS = [Reading(3, 1, 1_038_700_800, (61_125,)), Reading(4, 1, 1_038_700_800, (8_000,))]


def snarkjs(*arguments: str | Path) -> str:
    ran = subprocess.run(
        ["node", str(SNARKJS), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[int]]:
    folder = tmp_path_factory.mktemp("files")
    circuit, witness = folder / "rule.r1cs", folder / "rule.wtns"
    with circuit.open("wb") as out:
        out.writelines(r1cs(ASSEMBLED.circuit))
    wires = solve(ASSEMBLED.circuit, ASSEMBLED.given(READINGS), {"statement": 77})
    witness.write_bytes(wtns(wires))
    return circuit, witness, wires


def test_snarkjs_reads_the_circuit(files: tuple[Path, Path, list[int]]) -> None:
    told = snarkjs("r1cs", "info", files[0])
    assert f"# of Constraints: {ASSEMBLED.circuit.constraints}" in told
    assert "# of Public Inputs: 3" in told
    assert f"# of Wires: {ASSEMBLED.circuit.wires}" in told


def test_snarkjs_checks_the_witness(files: tuple[Path, Path, list[int]], tmp_path: Path) -> None:
    circuit, witness, wires = files
    assert "WITNESS IS CORRECT" in snarkjs("wtns", "check", circuit, witness)
    wrong = tmp_path / "wrong.wtns"
    wrong.write_bytes(wtns([*wires[:2], wires[2] + 1, *wires[3:]]))
    assert "WITNESS IS CORRECT" not in snarkjs("wtns", "check", circuit, wrong)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_engine_reads_the_same_circuit_from_the_file(
    files: tuple[Path, Path, list[int]], engine: Engine
) -> None:
    circuit, _, wires = files
    loaded = await engine.call("load", path=str(circuit))
    from_program = await engine.call("load", ASSEMBLED.program.text)
    assert loaded.header["constraints"] == from_program.header["constraints"]
    raw = b"".join(wire.to_bytes(32, "little") for wire in wires)
    for answer in (loaded, from_program):
        checked = await engine.call("check", raw, circuit=answer.header["circuit"])
        assert checked.header["ok"] is True
    assert loaded.header["circuit"] != from_program.header["circuit"]
