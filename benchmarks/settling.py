"""What settling a task costs: real transactions on the embedded engine, the demo's program.

Promise: ≤ 500,000 gas for a settling transaction with 135 outputs, 70 paid devices and a true
proof, the project's callback excluded. The circuit takes four readings; outputs, verifier and
calldata are those of the full one. The first settlement of a network also writes the burner's
counters from zero: both are told.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opendepin.chain import artifacts
from opendepin.core.statement import encoded_outputs
from opendepin.core.task import Task
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk import integers
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.engine import Engine, locate
from opendepin.proofs.zk.prover import Prover
from opendepin.proofs.zk.verifier import verifier
from tests.chain.conftest import CACHE, start_node
from tests.dims.settlement.ground import OWNER, SUBMITTER, Ground, lay

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".build" / "bench" / "settling.json"
PROMISED_GAS = 500_000
ROUNDS = 3
CAPACITY = 4
REGIONS, STATIONS = 65, 70
HASHES = (b"\x0a" * 32, b"\x0b" * 32, b"\x0c" * 32)
DRAW_BLOCKS = 4


async def program(ground: Ground, prover: Prover, folder: Path) -> None:
    """Register the demo's rule with its generated verifier."""
    assembled = assemble(CLEAN_AIR.resized(CAPACITY))
    source = verifier(await prover.keys(assembled.program), assembled.maxima).source
    path = folder / "Verifier.vy"
    path.write_text(source)
    made = await artifacts.ensure([str(path)], CACHE)
    address = await ground.node.deploy(next(iter(made.values())))
    terms = (*HASHES, address, REGIONS, STATIONS, 10**15, 10**12, bytes(20))
    await ground.send(OWNER, "Programs", "register", 1, *terms)


@dataclass(frozen=True)
class Proven:
    """A task with a proof."""

    task: bytes
    outputs: list[int]
    proof: bytes


async def prove(ground: Ground, prover: Prover) -> tuple[Proven, dict[str, int]]:
    """Bring one batch to its proof; also what opening and assigning cost."""
    assembled = assemble(CLEAN_AIR.resized(CAPACITY))
    batch = await ground.batch(3, capacity=CAPACITY)
    segment = ground.stores.batches[batch][1][0]
    readings = ground.readings[batch]
    opened = await ground.send(SUBMITTER, "Settlement", "open", batch, 0, segment)
    task_id = await ground.read("Settlement", "task_at", batch, 0, returns=bytes)
    await ground.node.blocks(DRAW_BLOCKS)
    assigned = await ground.send(SUBMITTER, "Settlement", "assign", task_id)
    task = await ground.read("Settlement", "task", task_id, returns=Task)
    outputs = integers.outputs(assembled.rule, readings)
    number = task.statement(
        task_id, ground.network_id, ground.book["Settlement"].address, outputs
    ).number()
    proof = (await prover.prove(assembled.program, number, readings)).raw
    gas = {"open": opened.gas_used, "assign": assigned.gas_used}
    return Proven(task_id, list(outputs), proof), gas


async def settle(ground: Ground, prover: Prover) -> dict[str, int]:
    """Bring one batch to its settlement; returns the gas of each transaction."""
    proven, gas = await prove(ground, prover)
    settled = await ground.send(
        SUBMITTER,
        "Settlement",
        "settle",
        proven.task,
        encoded_outputs(proven.outputs),
        proven.proof,
    )
    return gas | {"settle": settled.gas_used}


@asynccontextmanager
async def laid() -> AsyncIterator[tuple[Ground, Prover]]:
    """Give a ground on a Layer 1 of its own, the demo's program registered, and its prover."""
    engine = Engine(locate())
    prover = Prover(engine, ROOT / ".build" / "keys", network_is_local=True)
    (ROOT / ".build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as name:
        folder = Path(name)
        node = await start_node(folder / "l1")
        try:
            ground = await lay(node, folder)
            await program(ground, prover, folder)
            yield ground, prover
        finally:
            await node.close()
            await engine.close()


async def measure() -> dict[str, Any]:
    """Settle some tasks of a program without callback."""
    async with laid() as (ground, prover):
        runs = [await settle(ground, prover) for _ in range(ROUNDS)]
    return {
        "runs": runs,
        "first": runs[0]["settle"],
        "settle": max(run["settle"] for run in runs[1:]),
    }


def main() -> None:
    """Measure, print the promise beside what was found, write the figures."""
    found = asyncio.run(measure())
    for name in ("first", "settle"):
        kept = "kept" if found[name] <= PROMISED_GAS else "MISSED"
        print(f"{name}: {found[name]:,} gas, promised {PROMISED_GAS:,} {kept}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
