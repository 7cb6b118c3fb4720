"""What the explorer needs of the rest of the network: L1 logs, batch bodies, the gateway's
feed, state proofs.

Whoever builds a network injects these. All raise `SourceAway` when the peer does not answer;
every one of them may be asked again for the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opendepin.core.batch import BatchHeader, Segment


@dataclass(frozen=True)
class L1Block:
    """A block of the L1 as far as the index needs it."""

    height: int
    hash: bytes
    parent: bytes
    time: int
    """Unix seconds."""


@dataclass(frozen=True)
class L1Event:
    """One decoded log of one of the network's contracts (`docs/spec/contracts.md`)."""

    contract: str
    """Name in the address book, e.g. `BatchInbox`."""
    name: str
    args: Mapping[str, Any]
    """By parameter name; addresses as 20 bytes or 0x-hex, bytes32 as bytes, numbers as integers."""
    height: int
    block_hash: bytes
    log_index: int
    transaction: bytes


@dataclass(frozen=True)
class SettleCall:
    """What a settling transaction carried, which its events do not repeat."""

    outputs: tuple[int, ...]
    proof: bytes
    gas_used: int


class L1(Protocol):
    """The L1 as a source of blocks and logs."""

    async def head(self) -> L1Block:
        """Return the newest block."""
        ...

    async def final_height(self) -> int:
        """Return the height that will not be undone, by the engine's rule of finality."""
        ...

    async def blocks(self, first: int, last: int) -> Sequence[L1Block]:
        """Return the blocks of these heights, both ends included; fewer when the chain is
        shorter.
        """
        ...

    async def events(self, first: int, last: int) -> Sequence[L1Event]:
        """Return all logs of the network's contracts at these heights, by height and log index."""
        ...

    async def settle_call(self, transaction: bytes, task: bytes) -> SettleCall | None:
        """Return outputs, proof and gas of the call that settled `task`, None when it can't be
        decoded.
        """
        ...


@dataclass(frozen=True)
class BatchRecord:
    """A batch whole, as the availability layer keeps it."""

    header: BatchHeader
    signature: bytes
    """65 bytes by the sequencer."""
    segments: tuple[Segment, ...]
    attestations: tuple[bytes, ...]
    """65-byte signatures by ascending attester address; may be empty when the source doesn't
    keep them.
    """
    body: bytes
    code: tuple[int, int]
    """Reed–Solomon shape (k, n)."""


class Bodies(Protocol):
    """The availability layer as a source of whole batches."""

    async def batch(self, number: int) -> BatchRecord | None:
        """Return the batch, None when no store has it yet."""
        ...


class GatewayFeed(Protocol):
    """A gateway's stage log of commit groups."""

    async def after(self, number: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return up to `limit` groups after record `number`, each `(record number, group
        bytes)`, in order.
        """
        ...


class StateProofs(Protocol):
    """The L1 as a source of storage proofs; answers in the JSON form `l1` of
    `docs/spec/bundle.md`.
    """

    async def prove(self, wanted: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """Prove `(contract, what)` pairs under one recent block; None when this network can't."""
        ...

    async def draw(self, task: str) -> Mapping[str, Any]:
        """Return what the last draw of a task is recomputed from, in the JSON form `draw` of
        `docs/spec/bundle.md`; the task is named by its 0x-hex id.
        """
        ...


class Services(Protocol):
    """The other services' `/v1/status`."""

    async def statuses(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return each service's status by name, None for one that did not answer."""
        ...


class Clock(Protocol):
    """The wall clock, the part of `runtime.clock.Clock` used here."""

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True)
class Sources:
    """All that the explorer reads from; a None source is simply not there."""

    l1: L1
    bodies: Bodies
    feeds: Mapping[bytes, GatewayFeed]
    """By gateway address."""
    proofs: StateProofs | None = None
    services: Services | None = None
