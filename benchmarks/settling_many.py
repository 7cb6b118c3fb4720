"""What open operators and batched settlement cost: real transactions on the embedded engine.

The demo's program (135 outputs, 70 paid devices), no callback: `settle` beside `settle_many` of 2,
8 and 16 true proofs, one combined pairing each; and opening, snapshot and draw with 1, 16 and 64
operators. Target: 70,000 gas a task at 16. The circuit takes four readings; outputs, verifier and
calldata are those of the full one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from benchmarks.settling import OUT, Proven, laid, prove
from opendepin.core.keys import Key
from opendepin.core.statement import encoded_outputs
from opendepin.core.task import Task
from opendepin.core.units import WEI_PER_TOKEN
from opendepin.proofs.zk.prover import Prover
from tests.chain.conftest import FUNDED
from tests.dims.settlement.ground import BOND, SUBMITTER, ZK, Ground

TARGET = 70_000
SIZES = (2, 8, 16)
OPERATORS = (2, 16, 64)
EPOCH_S = 6


async def settle(ground: Ground, found: Sequence[Proven]) -> int:
    """Settle tasks by one call; returns its gas."""
    contract = ground.book["Settlement"]
    encoded = [encoded_outputs(each.outputs) for each in found]
    tasks, proofs = [each.task for each in found], [each.proof for each in found]
    data = contract.data("settle_many", tasks, encoded, proofs)
    sent = await ground.node.send(SUBMITTER, contract.address, data, 0, gas=16_000_000)
    receipt = await ground.node.mined(sent)
    for task in tasks:
        state = await ground.read("Settlement", "task", task, returns=Task)
        if state.state != 3:
            raise SystemExit("a task did not settle")
    return receipt.gas_used


async def many(ground: Ground, prover: Prover) -> dict[str, Any]:
    """Measure `settle` and `settle_many`."""
    rows: dict[str, Any] = {}
    for round_ in range(2):  # the first one also writes counters from zero
        one, _ = await prove(ground, prover)
        receipt = await ground.send(
            SUBMITTER, "Settlement", "settle", one.task, encoded_outputs(one.outputs), one.proof
        )
        rows["settle" if round_ else "first"] = receipt.gas_used
    for size in SIZES:
        found = [(await prove(ground, prover))[0] for _ in range(size)]
        rows[f"settle_many {size}"] = await settle(ground, found) // size
    return rows


async def crowd(ground: Ground, prover: Prover, known: int, wanted: int) -> dict[str, int]:
    """Let operators join, then measure snapshot, opening and draw."""
    joined = 0
    for number in range(known, wanted):
        key = Key.from_seed(b"crowd %d" % number)
        await ground.node.mined(await ground.node.send(FUNDED[9], key.address, b"", WEI_PER_TOKEN))
        receipt = await ground.send(key, "Operators", "join", 64, ZK, value=BOND)
        joined = receipt.gas_used
    await ground.node.blocks(EPOCH_S + 2)
    renewed = await ground.send(SUBMITTER, "Operators", "snapshot")
    _, gas = await prove(ground, prover)
    return gas | {"join": joined, "snapshot": renewed.gas_used}


async def measure() -> dict[str, Any]:
    """Measure all of it on one Layer 1."""
    async with laid() as (ground, prover):
        rows = await many(ground, prover)
        crowds, known = {}, 2
        for wanted in OPERATORS:
            crowds[wanted] = await crowd(ground, prover, known, wanted)
            known = wanted
    return {"gas": rows, "operators": crowds}


def main() -> None:
    """Measure, print the target beside what was found, write the figures."""
    found = asyncio.run(measure())
    for name, gas in found["gas"].items():
        print(f"{name}: {gas:,} gas a task")
    kept = "kept" if found["gas"]["settle_many 16"] <= TARGET else "MISSED"
    print(f"target at 16: {TARGET:,} {kept}")
    for count, row in found["operators"].items():
        print(f"{count} operators: " + ", ".join(f"{n} {gas:,}" for n, gas in row.items()))
    out = OUT.with_name("settling_many.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
