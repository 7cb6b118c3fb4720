"""The money of a network, read from its contracts: what must add up, to the wei."""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.chain.events import TaskOpened
from opendepin.chain.ports import MAX_LOG_BLOCKS
from opendepin.core.units import tokens
from opendepin.network.parts import Parts

ISSUANCE_VIEWS = ("genesis_supply", "reserve", "released", "supply")


@dataclass(frozen=True)
class Accounts:
    """Amounts in wei."""

    escrow_money: int
    """What the escrow contract holds."""
    escrow_owed: int
    """What it owes: the project's balance, reserves and unclaimed device pay."""
    burner_money: int
    burner_total: int
    """What the burner says was burned."""
    supply: int
    """Genesis − reserve + released − burned, by the issuance contract."""
    expected_supply: int

    @property
    def balanced(self) -> bool:
        """Whether every account equals what it should hold."""
        return (
            self.escrow_money == self.escrow_owed
            and self.burner_money == self.burner_total
            and self.supply == self.expected_supply
        )

    def text(self) -> str:
        """Say the amounts in one line."""
        return (
            f"escrow holds {tokens(self.escrow_money)} and owes {tokens(self.escrow_owed)}; "
            f"burned {tokens(self.burner_total)}, kept {tokens(self.burner_money)}"
        )


async def read_accounts(built: Parts, project: int) -> Accounts:
    """Read the accounts as they stand in one block.

    Raises:
        NodeAway: the L1 does not answer.
        NodeFault: it moves on too fast to be read.
    """
    escrow, burner = built.contract("Escrow"), built.contract("Burner")
    issuance = built.contract("Issuance")
    while True:
        tasks = await _tasks(built)
        owed = [
            escrow.call(name, task, returns=int) for task in tasks for name in ("reserved", "held")
        ]
        views = [
            burner.call("total_burned", returns=int),
            *(issuance.call(name, returns=int) for name in ISSUANCE_VIEWS),
            escrow.call("balance_of", project, returns=int),
            *owed,
        ]
        found, money = await built.chain.calls(views, [escrow.address, burner.address])
        if await _tasks(built) == tasks:
            break
    burned, genesis, reserve, released, supply, *debts = found
    return Accounts(
        escrow_money=money[0],
        escrow_owed=sum(debts),
        burner_money=money[1],
        burner_total=burned,
        supply=supply,
        expected_supply=genesis - reserve + released - burned,
    )


async def _tasks(built: Parts) -> list[bytes]:
    settlement = built.contract("Settlement")
    event = settlement.event(TaskOpened)
    head, first, found = await built.chain.block_number(), 0, list[bytes]()
    while first <= head:
        last = min(head, first + MAX_LOG_BLOCKS - 1)
        logs = await built.chain.logs([settlement.address], first, last, [event.topic])
        found += [event.decode(log.topics, log.data).task for log in logs]
        first = last + 1
    return found
