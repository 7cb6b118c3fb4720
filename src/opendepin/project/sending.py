"""Send a project's sample data as its devices would, and wait for a settled task.

In: a deployed project. Out: what the gateway took, and the first settled task. The readings are
records: they are signed now, by keys of this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from opendepin.core.schema import OBSERVED, Data
from opendepin.network import fleet
from opendepin.network.home import Home
from opendepin.network.trails import Api
from opendepin.project.building import Built
from opendepin.project.deploying import Deployed
from opendepin.project.errors import DeployRefused
from opendepin.runtime.clock import SystemClock

POLL_S = 1.0
SETTLE_TIMEOUT_S = 240.0
MAX_LISTED = 500


async def send(home: Home, built: Built, deployed: Deployed, most: int) -> int:
    """Send the first readings of the sample, each device its own; return how many were taken.

    Raises:
        GatewayRefused, GatewayAway, ReceiptWrong: see `sdk.sender`.
    """
    own: dict[int, list[tuple[int | None, Data]]] = {}
    for row in built.sample.rows[:most]:
        values = {key: value for key, value in row.data.items() if key != OBSERVED}
        observed = row.data[OBSERVED]
        at = observed if isinstance(observed, int) else None
        own.setdefault(row.device, []).append((at, values))
    taken = await asyncio.gather(
        *(fleet.report(home, deployed.devices[device], rows) for device, rows in own.items())
    )
    return sum(len(each) for each in taken)


async def settled(
    home: Home, project: int, progress: Callable[[str], None], timeout_s: float = SETTLE_TIMEOUT_S
) -> dict[str, Any]:
    """Wait for a settled task of a project, and say each state it goes through.

    Raises:
        DeployRefused: code `project-unsettled`, none in this time.
    """
    clock, said = SystemClock(), ""
    until = clock.monotonic() + timeout_s
    while clock.monotonic() < until:
        listed = await asyncio.to_thread(Api(home).get, "/tasks", limit=MAX_LISTED)
        own = [task for task in listed["items"] if task["project"] == project]
        done = next((task for task in own if task["state"] == "settled"), None)
        if done is not None:
            return await asyncio.to_thread(Api(home).get, f"/tasks/{done['task']}")
        state = own[0]["state"] if own else "waiting for a batch"
        if state != said:
            progress(f"task     {state}")
            said = state
        await clock.sleep(POLL_S)
    raise DeployRefused(
        f"no task of project {project} was settled in {timeout_s:.0f} s: see `depin status` and "
        "`depin logs operator-0`",
        code="project-unsettled",
    )
