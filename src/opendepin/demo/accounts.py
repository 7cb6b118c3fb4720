"""The money of a network, read from its contracts: what must add up, to the wei."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.chain.abi import Contract
from opendepin.core.units import tokens
from opendepin.network.parts import Parts


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


async def read_accounts(built: Parts, project: int, tasks: Sequence[bytes]) -> Accounts:
    """Read the accounts of a network that is at rest.

    Raises:
        NodeAway: the L1 does not answer.
    """
    chain = built.chain
    escrow, burner = built.contract("Escrow"), built.contract("Burner")
    issuance = built.contract("Issuance")

    async def view(contract: Contract, name: str, *arguments: object) -> int:
        return await chain.call(contract.call(name, *arguments, returns=int))

    owed = [view(escrow, name, task) for task in tasks for name in ("reserved", "held")]
    balances = await asyncio.gather(view(escrow, "balance_of", project), *owed)
    burned = await view(burner, "total_burned")
    genesis, reserve = await view(issuance, "genesis_supply"), await view(issuance, "reserve")
    released = await view(issuance, "released")
    return Accounts(
        escrow_money=await chain.balance(escrow.address),
        escrow_owed=sum(balances),
        burner_money=await chain.balance(burner.address),
        burner_total=burned,
        supply=await view(issuance, "supply"),
        expected_supply=genesis - reserve + released - burned,
    )
