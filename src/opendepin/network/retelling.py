"""Tell a project's contract a result again, after its call failed.

Nothing does so by itself: the contract failed by its own fault, each try costs whoever sends it up
to the call's whole gas, and only its owner knows when it is mended. Anyone may send the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opendepin.core.encodings import from_hex
from opendepin.core.errors import EncodingRejected
from opendepin.network.errors import HomeRefused
from opendepin.network.founding import FAUCET
from opendepin.network.home import Home
from opendepin.network.parts import parts
from opendepin.network.registering import registrar
from opendepin.network.trails import Api

SETTLEMENT = "Settlement"


@dataclass(frozen=True)
class TaskResult:
    """A settled task's result as the contract holds it."""

    outputs_hash: bytes
    pay_root: bytes
    producer: bytes
    settled_block: int
    callback_ok: bool


async def retell(home: Home, task: str) -> dict[str, Any]:
    """Send a settled task's result to its project's contract again; return whether it took it.

    Raises:
        HomeRefused: `id`, this is no task id; `not-settled`, there is no result yet;
            `callback-done`, the contract was told.
        NotRunning: no network runs here.
        Reverted: somebody else was quicker.
    """
    try:
        identifier = from_hex(task, 32)
    except EncodingRejected as error:
        raise HomeRefused(
            f"{task[:80]!r} is no task id: 0x and 64 hex digits", code="id"
        ) from error
    found = Api(home).get(f"/tasks/{task}")
    if found["state"] != "settled":
        text = f"the task is {found['state']}: there is no result to tell yet"
        raise HomeRefused(text, code="not-settled")
    if found["callback_ok"]:
        raise HomeRefused("the project's contract was told this result", code="callback-done")
    outputs = [int(output["raw"]) for output in found["outputs"]]
    async with await parts(home, "cli", (SETTLEMENT,)) as built:
        contract = built.contract(SETTLEMENT)
        data = contract.data("retry_callback", identifier, outputs)
        name = f"callback/{identifier.hex()}/{built.clock.now_ms()}"
        async with registrar(home, FAUCET) as office:
            await office.send(name, contract.address, data)
        result = await built.chain.call(contract.call("result", identifier, returns=TaskResult))
    return {"task": task, "callback_ok": result.callback_ok}
