"""Owners collect their pay: after each settled task one Land's agency claims for its stations.

Anyone may send a claim, the contract pays the device's owner; here one account sends for all. Who
does not claim loses nothing: the pay stays held.
"""

from __future__ import annotations

import asyncio
from typing import Any

from opendepin.core.encodings import from_hex
from opendepin.core.errors import DepinError
from opendepin.demo.clean_air import FIGURES
from opendepin.demo.stations import LAND_OF_STATION, LANDS, STATIONS
from opendepin.dims.settlement.rules import pay_of
from opendepin.network.home import Home
from opendepin.network.registering import Registrar
from opendepin.network.trails import Api
from opendepin.runtime.service import Stop

POLL_S = 3.0
PAY_OFFSET = len(LANDS) * len(FIGURES)


class Claiming:
    """Claims over the tasks of one network, each task once."""

    def __init__(self, home: Home, office: Registrar) -> None:
        self._home, self._office = home, office
        self._done: set[str] = set()
        self._turn = 0
        self.claimed = 0
        """Claims that were paid."""
        self.refused = 0

    async def run(self, stop: Stop) -> None:
        """Claim until the stop; an explorer or L1 that is away is waited for."""
        while not await stop.sleep(POLL_S):
            try:
                tasks = await asyncio.to_thread(self._settled)
                for task in tasks:
                    await self._claim(task)
            except DepinError:
                continue

    def _settled(self) -> list[dict[str, Any]]:
        api = Api(self._home)
        rows = api.get("/tasks", state="settled", limit=20)["items"]
        fresh = [row["task"] for row in rows if row["task"] not in self._done]
        return [api.get(f"/tasks/{task}") for task in fresh]

    async def _claim(self, task: dict[str, Any]) -> None:
        land, identifier = self._turn % len(LANDS), from_hex(task["task"], 32)
        outputs = [int(output["raw"]) for output in task["outputs"]]
        if len(outputs) != PAY_OFFSET + len(STATIONS):
            return
        self._done.add(task["task"])
        self._turn += 1
        due = pay_of(identifier, outputs, PAY_OFFSET, len(STATIONS))
        outcomes = await asyncio.gather(
            *(
                self._office.claim(identifier, pay.device_index, pay.units, pay.path)
                for pay in due
                if LAND_OF_STATION[pay.device_index] == land
            ),
            return_exceptions=True,
        )
        refused = [each for each in outcomes if isinstance(each, DepinError)]
        self.refused += len(refused)
        self.claimed += len(outcomes) - len(refused)
