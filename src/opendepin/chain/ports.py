"""What the chain gives, and what an engine under it must do.

`ChainReader` is all that a room needs to read; `ExecutionEngine` is what a composition root starts.
Heights are L1 block numbers, times Unix seconds, money wei; hashes and addresses are bytes (32 and
20).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from opendepin.chain.abi import Call
from opendepin.chain.header import Header
from opendepin.chain.storage import ContractProof

T = TypeVar("T")

MAX_LOG_BLOCKS = 5_000
"""Most blocks one `logs` request spans."""


@dataclass(frozen=True)
class Log:
    """An event as a node tells it: a hint, never a proof."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: bytes
    transaction: bytes
    index: int
    """Place in the block."""


@dataclass(frozen=True)
class Final:
    """The last block that will never be taken back, and on whose word."""

    height: int
    hash: bytes
    label: str
    """What finality means here, in words a reader sees, e.g. `embedded development L1`."""


@dataclass(frozen=True)
class Receipt:
    """What became of a mined transaction."""

    transaction: bytes
    block: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    gas_price: int
    """Wei per gas that was paid."""
    contract: bytes | None
    """Address, when it made a contract."""
    logs: tuple[Log, ...]


@dataclass(frozen=True)
class StateProof:
    """Slots of contracts under one block: header and Merkle–Patricia nodes, checked once when
    read.
    """

    header: Header
    contracts: tuple[ContractProof, ...]


class ChainReader(Protocol):
    """What rooms read of Layer 1. Every method raises `NodeAway` when the node does not answer
    for long.
    """

    async def block_number(self) -> int:
        """Return the height of the newest block."""
        ...

    async def finalized(self) -> Final:
        """Return the newest final block; its height never goes back."""
        ...

    async def block(self, height: int | None = None) -> Header | None:
        """Return the header at a height (the newest one without it), its hash recomputed; None
        above the head.
        """
        ...

    async def logs(
        self, addresses: Sequence[bytes], first: int, last: int, topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        """Return the logs of these contracts in blocks first..last that exist, in order."""
        ...

    async def call(self, call: Call[T]) -> T:
        """Return what a view answers at the newest block.

        Raises:
            Reverted: the contract refused.
        """
        ...

    async def prove(self, slots: Mapping[bytes, Sequence[int]]) -> StateProof:
        """Return slots (by contract address) proven under the newest block, the proofs checked."""
        ...


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do beyond the port."""

    bft_finality: bool
    """A block is final when a quorum signed it; otherwise by the engine's own rule."""
    historical_proofs: bool
    """Proofs can be taken at old heights; otherwise at the newest block alone."""
    label: str
    """What a reader is told wherever a result of this engine shows."""


class ExecutionEngine(Protocol):
    """One execution client under our care."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    @property
    def rpc_url(self) -> str:
        """Address of the engine's own JSON-RPC: private, all methods."""
        ...

    async def start(self) -> None:
        """Start from the newest good state, or from genesis when there is none.

        Raises:
            EngineMissing: the program is not there or of another version.
            EngineFailed: no state we hold lets it start.
        """
        ...

    async def stop(self) -> None:
        """Keep the newest state and end."""
        ...

    async def head(self) -> int:
        """Return the height of the newest block."""
        ...

    async def finalized_head(self) -> Final:
        """Return the newest final block."""
        ...
