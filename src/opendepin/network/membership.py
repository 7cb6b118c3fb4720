"""Keeps an operator's standing on Layer 1 as its owner wants it: bonded, paused, or out.

In: what the owner asked for (`wanted.json` in the service's room, written by the command line), and
the operator's record. Out: calls through the operator's own outbox, so that its account has one
sender. What was asked for outlives restarts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from opendepin.chain.abi import Contract
from opendepin.chain.errors import Reverted
from opendepin.chain.outbox import Intent, Outbox
from opendepin.chain.ports import ChainReader
from opendepin.core.errors import PeerFault
from opendepin.network.errors import HomeRefused
from opendepin.network.home import Home, write_json
from opendepin.runtime.service import Stop

GROTH16 = 1
"""Kind of proof that operators of this version make; kinds are the places of a mask."""

POLL_S = 1.0

State = Literal["active", "paused", "left"]


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the owner asked for."""

    state: State = "active"
    stake: str | None = None
    """Wei to bond when it joins; the network's minimum without it."""
    capacity: int | None = None
    """Tasks at once; the settings' without it."""


@dataclass(frozen=True)
class OperatorRecord:
    """The struct of `IOperators.Operator`."""

    stake: int
    score: int
    load: int
    capacity: int
    kinds: int
    member: bool
    paused: bool
    withdrawable_at: int


def read_wanted(home: Home, service: str) -> Wanted:
    """Return what was asked for; a new operator is to be active.

    Raises:
        HomeRefused: the file is malformed.
    """
    path = home.room(service) / "wanted.json"
    if not path.exists():
        return Wanted()
    try:
        return msgspec.convert(json.loads(path.read_text()), Wanted)
    except (ValueError, msgspec.ValidationError) as error:
        raise HomeRefused(f"{path} cannot be read: {error}") from error


def write_wanted(home: Home, service: str, wanted: Wanted) -> None:
    """Keep what was asked for; a running operator sees it within a second."""
    write_json(home.room(service) / "wanted.json", msgspec.to_builtins(wanted))


@dataclass(frozen=True)
class Step:
    """A call that brings the operator nearer to what is wanted."""

    call: str
    arguments: tuple[object, ...] = ()
    value: int = 0


def due(record: OperatorRecord, wanted: Wanted, bond: int, capacity: int, now: int) -> Step | None:
    """Return the next call; None when the record is as wanted, or time has to pass."""
    places = wanted.capacity or capacity
    if wanted.state == "left":
        if record.member:
            return Step("leave")
        if record.withdrawable_at and now >= record.withdrawable_at and record.load == 0:
            return Step("withdraw")
        return None
    if not record.member:
        if record.withdrawable_at == 0:
            stake = int(wanted.stake) if wanted.stake is not None else bond
            return Step("join", (places, 1 << GROTH16), stake)
        if now >= record.withdrawable_at and record.load == 0:
            return Step("withdraw")  # it left before and is to come back
        return None
    if wanted.state == "paused":
        return None if record.paused else Step("pause")
    if record.paused:
        return Step("resume")
    if record.stake < bond:
        return Step("add_stake", (), bond - record.stake)
    if record.capacity != places:
        return Step("offer", (places, record.kinds))
    return None


class Membership:
    """Brings one operator's record to what its owner wants."""

    def __init__(
        self,
        home: Home,
        service: str,
        *,
        chain: ChainReader,
        operators: Contract,
        outbox: Outbox,
        address: bytes,
        bond: int,
        capacity: int,
        log: Any,
    ) -> None:
        self._home, self._service = home, service
        self._chain, self._operators, self._outbox = chain, operators, outbox
        self._address, self._bond, self._capacity, self._log = address, bond, capacity, log
        self._said = ""

    async def run(self, stop: Stop) -> None:
        """Look every second until the stop."""
        while not stop.is_set():
            try:
                await self.look()
            except (PeerFault, HomeRefused) as error:
                self._say(f"membership waits: {error}")
            await stop.sleep(POLL_S)

    async def look(self) -> None:
        """Do the one call that is due, and wait for it."""
        record = await self.record()
        header = await self._chain.block()
        if header is None:
            return
        wanted = read_wanted(self._home, self._service)
        step = due(record, wanted, self._bond, self._capacity, header.time)
        if step is None:
            return
        key = f"membership/{step.call}/{header.number}"
        data = self._operators.data(step.call, *step.arguments)
        try:
            await self._outbox.settle(Intent(key, self._operators.address, data, step.value))
        except Reverted as error:
            self._say(f"{step.call} was refused: {error.reason}")
            return
        self._log.info("membership", call=step.call, operator=self._address)

    async def record(self) -> OperatorRecord:
        """Return the operator's record in the newest block."""
        return await self._chain.call(
            self._operators.call("operator", self._address, returns=OperatorRecord)
        )

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._log.warning(text, operator=self._address)


def standing(record: OperatorRecord) -> str:
    """Return an operator's standing in one word."""
    if record.withdrawable_at:
        return "leaving"
    if not record.member:
        return "out"
    return "paused" if record.paused else "active"


def record_json(record: OperatorRecord, address: bytes) -> Mapping[str, Any]:
    """Return a record as the command line prints it; money in wei."""
    return {
        "operator": "0x" + address.hex(),
        "standing": standing(record),
        "stake_wei": str(record.stake),
        "score": record.score,
        "tasks": record.load,
        "capacity": record.capacity,
        "kinds": record.kinds,
        "withdrawable_at": record.withdrawable_at or None,
    }
