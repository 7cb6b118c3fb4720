"""What the outbox needs of the chain, how it sends, and what it remembers between two rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from opendepin.chain.client import Fees
from opendepin.chain.ports import Final, Receipt
from opendepin.chain.transactions import MAX_TRANSACTION_GAS


@dataclass(frozen=True)
class OutboxConfig:
    """How the outbox sends."""

    poll_s: float = 0.5
    gas_headroom: float = 1.25
    """Gas limit over the estimate."""
    gas_extra: int = 20_000
    gas_cap: int = MAX_TRANSACTION_GAS
    max_fee_cap: int = 10**12
    """Most wei per gas ever offered."""
    resend_blocks: int = 2
    """Blocks after which unmined bytes are handed to the node again."""
    bump_blocks: int = 5
    """Blocks after which an unmined transaction is replaced by a dearer one."""
    bump_factor: float = 1.25
    refusals: int = 4
    """Blocks in which a contract must refuse an intent before it has failed."""
    in_flight: int = 16
    """Most transactions that are signed and not final."""


class Sender(Protocol):
    """What the outbox needs of the chain."""

    async def chain_id(self) -> int:
        """Return the chain id."""
        ...

    async def block_number(self) -> int:
        """Return the height of the newest block."""
        ...

    async def finalized(self) -> Final:
        """Return the newest final block."""
        ...

    async def nonce(self, address: bytes) -> int:
        """Return the account's next nonce after the newest block."""
        ...

    async def fees(self) -> Fees:
        """Return what a transaction costs now."""
        ...

    async def estimate(self, sender: bytes, to: bytes | None, value: int, data: bytes) -> int:
        """Return the gas a transaction would use now."""
        ...

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand a signed transaction to the node."""
        ...

    async def receipt(self, transaction: bytes) -> Receipt | None:
        """Return what became of a transaction."""
        ...


@dataclass(frozen=True)
class View:
    """The chain as one round of the outbox sees it."""

    head: int
    final: int
    nonce: int
    fees: Fees


@dataclass
class Memory:
    """What a running outbox remembers of an intent; a restart may forget it."""

    sent_at: int | None = None
    """Head when the newest bytes were handed over."""
    first_sent_at: int = 0
    """Head when the newest variant was handed over first."""
    refusals: int = 0
    refused_at: int = -1
    seen_done_at: int | None = None
    """Head at which somebody else's effect was first seen."""
    foreign_at: int | None = None
    """Head at which the nonce was first seen used by none of our variants."""
