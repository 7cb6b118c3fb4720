"""What must hold at the end of a demo: nothing lost, money balances, trails verify."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import DepinError
from opendepin.demo.accounts import Accounts, read_accounts
from opendepin.demo.project import Fleet
from opendepin.demo.replay import Tally
from opendepin.network import trails
from opendepin.network.founding import GATEWAY
from opendepin.network.home import Home
from opendepin.network.parts import parts
from opendepin.runtime.clock import Clock
from opendepin.runtime.http import client, json_of
from opendepin.verify.steps import Outcome, named

POLL_S = 1.0
MOST_ASKS = 5
"""An L1 that is busy is asked again so often."""
SAMPLED = 200
"""Acknowledged messages looked up at the gateway, evenly over all."""


@dataclass(frozen=True)
class Covered:
    """How far a lane stands in batches, by `BatchInbox`."""

    position: int
    identity_block: int


@dataclass
class Checks:
    """The outcome of every check, and what was read on the way."""

    holds: dict[str, bool] = field(default_factory=dict[str, bool])
    why: dict[str, str] = field(default_factory=dict[str, str])
    stats: dict[str, Any] = field(default_factory=dict[str, Any])
    tasks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    accounts: Accounts | None = None

    def note(self, name: str, holds: bool, why: str) -> None:
        """Keep one outcome."""
        self.holds[name], self.why[name] = holds, why

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return bool(self.holds) and all(self.holds.values())


async def run(home: Home, fleet: Fleet, tally: Tally, clock: Clock, drain_s: float) -> Checks:
    """Wait until what was sent is settled, or the time is over, then check."""
    found = Checks()
    await _drain(home, tally, clock, drain_s, found)
    try:
        found.tasks = trails.Api(home).every("/tasks")
    except DepinError as error:
        found.why["tasks"] = str(error)
    settled = [t for t in found.tasks if t["state"] == "settled"]
    found.note("settled", bool(settled), f"{len(settled)} tasks settled")
    await _nothing_lost(home, tally, found)
    await _ordered(home, fleet, tally, found)
    await _money(home, fleet, clock, found)
    await _trail(home, settled, found)
    return found


async def _drain(home: Home, tally: Tally, clock: Clock, drain_s: float, found: Checks) -> None:
    until = clock.monotonic() + drain_s
    api = trails.Api(home)
    while True:
        try:
            found.stats = api.get("/stats")
        except DepinError as error:
            found.why["drain"] = str(error)
        proven = found.stats.get("proven", {}).get("value") or 0
        if proven >= _newest_position(tally) or clock.monotonic() > until:
            return
        await clock.sleep(POLL_S)


async def _nothing_lost(home: Home, tally: Tally, found: Checks) -> None:
    """Ask the gateway for acknowledged messages: each is there, at its receipt's position."""
    every = sorted(tally.acknowledged.items(), key=lambda row: row[1])
    step = max(1, len(every) // SAMPLED)
    lost = 0
    async with client(home.addresses()[GATEWAY]) as http:
        for identifier, position in every[::step]:
            answer = await http.get(f"/v1/messages/{to_hex(identifier)}")
            if not answer.is_success or _position(json_of(answer)) != position:
                lost += 1
    looked = len(every[::step])
    positions = sorted(tally.acknowledged.values())
    once = len(set(positions)) == len(positions)
    text = f"{lost} of {looked} looked up are missing; each has a position of its own: {once}"
    found.note("nothing-lost", lost == 0 and once and looked > 0, text)


async def _ordered(home: Home, fleet: Fleet, tally: Tally, found: Checks) -> None:
    """Everything acknowledged stands in a batch that Layer 1 accepted, by Layer 1's own word."""
    newest = _newest_position(tally)
    async with await parts(home, "cli", ("BatchInbox",)) as built:
        inbox, gateway = built.contract("BatchInbox"), built.genesis.gateways[0]
        call = inbox.call("covered", gateway, fleet.project, returns=Covered)
        try:
            position = (await built.chain.call(call)).position
        except DepinError as error:
            found.note("ordered", False, str(error))
            return
    text = f"Layer 1 holds batches up to position {position}, acknowledged is {newest}"
    found.note("ordered", position >= newest > 0, text)


def _newest_position(tally: Tally) -> int:
    """Return the last position of the project's lane that this run was given; they are dense."""
    return max(tally.acknowledged.values(), default=0)


def _position(answer: dict[str, Any]) -> int | None:
    receipt = answer.get("receipt", answer)
    return receipt.get("position")


async def _money(home: Home, fleet: Fleet, clock: Clock, found: Checks) -> None:
    async with await parts(home, "cli", ("Escrow", "Burner", "Issuance", "Settlement")) as built:
        for _ in range(MOST_ASKS):
            try:
                accounts = found.accounts = await read_accounts(built, fleet.project)
                found.note("money", accounts.balanced, accounts.text())
                return
            except DepinError as error:
                found.note("money", False, str(error))
                await clock.sleep(POLL_S)


async def _trail(home: Home, settled: list[dict[str, Any]], found: Checks) -> None:
    """Verify a sampled message to L1; a copy with one altered byte must fail."""
    try:
        message = _settled_message(home, settled)
        bundle = trails.fetch_bundle(home, message)
        trusted = trails.trusted_block_hash(home, bundle)
        anchor = await trails.anchor(home.genesis_file, trusted)
        report = await trails.verify(bundle, anchor, home)
        failed = ", ".join(f"{step.name}: {step.why}" for step in report.failed)
        absent = [step.name for step in report.steps if step.outcome.value == "absent"]
        found.note("verify", report.settled, failed or f"{message}; absent: {absent}")
        step = named(report.steps, "include-by")
        text = f"{step.computed}, promised {step.expected} {step.why}".strip()
        found.note("in-time", step.outcome is Outcome.HOLDS, text)
        altered = await trails.verify(_altered(bundle), anchor, home)
        names = ", ".join(step.name for step in altered.failed)
        found.note("verify-altered", not altered.ok, f"one byte altered fails: {names}")
    except DepinError as error:
        found.note("verify", False, f"{error.code}: {error}")


def _settled_message(home: Home, settled: list[dict[str, Any]]) -> str:
    api = trails.Api(home)
    devices = api.get("/devices", limit=100)["items"]
    for device in devices:
        rows = api.get(f"/devices/{device['device']}/readings", limit=100)["items"]
        for row in rows:
            if row.get("stage") == "settled":
                return str(row["message_id"])
    raise trails.HomeRefused(f"no settled message among {len(settled)} tasks", code="not-there")


def _altered(bundle: bytes) -> bytes:
    """Flip one bit in the middle of the message's signed payload."""
    value = json.loads(bundle)
    raw = bytearray(from_hex(value["message"]["raw"]))
    raw[len(raw) // 2] ^= 1
    value["message"]["raw"] = to_hex(bytes(raw))
    return json.dumps(value).encode()
