"""The stations of a running network, as `line.carry` takes them: each waits for its process's work.

In: a service's parts. Out: `line.Stations`. What a station returns was read from the network's own
sources (gateway, stores, Layer 1) and checked against Layer 1's hashes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from opendepin.core import keys
from opendepin.core.errors import DepinError, PeerFault
from opendepin.core.journey import Admitted, Batched, Proven, Published, Settled, Signed
from opendepin.core.task import TaskState
from opendepin.dims.gateway.client import GatewayClient
from opendepin.dims.settlement.client import Book, ContractsOnChain
from opendepin.line import Stations
from opendepin.network.errors import HomeRefused
from opendepin.network.parts import Parts
from opendepin.network.rooms import GATEWAY
from opendepin.network.sources.batches import BodySource
from opendepin.network.sources.layer1 import L1Source, Settlements
from opendepin.runtime.http import client

CONTRACTS = (
    "BatchInbox",
    "Settlement",
    "Programs",
    "Escrow",
    "Operators",
    "Devices",
    "CleanAirCover",
)
POLL_S = 0.5
MAX_WAIT_S = 600.0

T = TypeVar("T")


class _Waiting:
    """What all stations share."""

    def __init__(self, built: Parts) -> None:
        self._parts = built

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        """Return what `look` finds, asking again until it does.

        Raises:
            PeerFault: it did not come in `MAX_WAIT_S`.
        """
        end = self._parts.clock.monotonic() + MAX_WAIT_S
        while True:
            found = await look()
            if found is not None:
                return found
            if self._parts.clock.monotonic() > end:
                raise PeerFault(f"waited {MAX_WAIT_S:.0f} s for {what}")
            await self._parts.clock.sleep(POLL_S)


class GatewayStation(_Waiting):
    """Sends messages and keeps the receipts."""

    async def admit(self, project: int, messages: Sequence[Signed]) -> list[Admitted]:
        """Return every message with its checked receipt.

        Raises:
            HomeRefused: the gateway refused one; the code is the gateway's.
        """
        genesis = self._parts.genesis
        async with client(self._parts.addresses[GATEWAY]) as http:
            gateway = GatewayClient(http, genesis.network_id, genesis.gateways[0])
            answers = await gateway.send_frame(project, [each.raw for each in messages])
        admitted: list[Admitted] = []
        for signed, answer in zip(messages, answers, strict=True):
            if answer.receipt is None:
                raise HomeRefused(answer.detail, code=answer.code)
            admitted.append(Admitted(signed, answer.receipt))
        return admitted


class SequencerStation(_Waiting):
    """Finds the batches that cover receipts."""

    async def order(self, admitted: Sequence[Admitted]) -> list[Batched]:
        """Return the batches that cover every message's position, in order."""
        bodies = BodySource(self._parts)
        missing = {(each.receipt.header.project, each.receipt.position) for each in admitted}
        found: list[Batched] = []
        number = 1
        while missing:
            record = await self.until(lambda at=number: bodies.batch(at), f"batch {number}")
            covered = {
                (segment.project, position)
                for segment in record.segments
                for each in segment.ranges
                for position in range(each.first, each.last + 1)
            }
            if covered & missing:
                batch = (record.header, record.signature, record.segments, record.body)
                found.append(Batched(*batch))
                missing -= covered
            number += 1
        return found


class AvailabilityStation(_Waiting):
    """Waits for the inbox to accept a batch, and gathers who attests it."""

    async def publish(self, batch: Batched) -> Published:
        """Return the batch as the inbox holds it.

        Raises:
            PeerFault: the inbox holds another header of this number.
        """
        inbox, number = self._parts.contract("BatchInbox"), batch.header.number
        chain = self._parts.chain

        async def accepted() -> bytes | None:
            kept = await chain.call(inbox.call("header_hash", number, returns=bytes))
            return kept if any(kept) else None

        if await self.until(accepted, f"batch {number} in the inbox") != batch.header.hash():
            raise PeerFault(f"the inbox holds another header of batch {number}")
        attestations: dict[bytes, bytes] = {}
        for store in self._parts.stores():
            try:
                held = await store.batch(number)
            except DepinError:  # fewer than all may hold it; the inbox asked for enough
                continue
            signer = keys.recover(batch.header.attest_digest(), held.attestation)
            attestations[signer] = held.attestation
        block = await chain.call(inbox.call("inbox_block", number, returns=int))
        ordered = tuple(attestations[signer] for signer in sorted(attestations))
        return Published(batch.header, batch.signature, batch.segments, ordered, block)


class ComputeStation(_Waiting):
    """Waits for the proofs of a batch's segments, and reads them from the settling calls."""

    def __init__(self, built: Parts) -> None:
        super().__init__(built)
        self._settlements = Settlements(L1Source(built))

    async def prove(self, batch: Published) -> list[Proven]:
        """Return the proof of every segment that has a program."""
        found: list[Proven] = []
        for index, segment in enumerate(batch.segments):
            if segment.field_root:
                found.append(await self._proven(batch.header.number, index))
        return found

    async def _proven(self, batch: int, index: int) -> Proven:
        contracts = contracts_of(self._parts)

        async def settled() -> bytes | None:
            identifier = await contracts.task_at(batch, index)
            if not any(identifier):
                return None
            state = (await contracts.task(identifier)).state
            return identifier if state is TaskState.SETTLED else None

        identifier = await self.until(settled, f"the proof of batch {batch}, segment {index}")
        event = await self._settlements.of(identifier)
        call = await L1Source(self._parts).settle_call(event.transaction, identifier)
        if call is None:
            raise PeerFault(f"the settling call of task 0x{identifier.hex()} cannot be read")
        task = await contracts.task(identifier)
        return Proven(identifier, batch, index, task.assignee, call.outputs, "zk", call.proof)


class SettlementStation(_Waiting):
    """Waits for a task's settlement to be final."""

    def __init__(self, built: Parts) -> None:
        super().__init__(built)
        self._settlements = Settlements(L1Source(built))

    async def settle(self, proven: Proven) -> Settled:
        """Return the task's final result."""
        chain = self._parts.chain

        async def final() -> Settled | None:
            event = await self._settlements.of(proven.task_id)
            if event.height > (await chain.finalized()).height:
                return None
            hashes = (event.args["outputs_hash"], event.args["pay_root"])
            return Settled(proven.task_id, *hashes, event.transaction, event.height)

        return await self.until(final, "finality")


def contracts_of(built: Parts) -> ContractsOnChain:
    """Return the settlement contracts of a network."""
    names = ("Settlement", "BatchInbox", "Programs", "Escrow", "Operators", "Devices")
    return ContractsOnChain(built.chain, Book(*(built.contract(name) for name in names)))


def stations(built: Parts) -> Stations:
    """Return the stations of a running network."""
    return Stations(
        GatewayStation(built),
        SequencerStation(built),
        AvailabilityStation(built),
        ComputeStation(built),
        SettlementStation(built),
    )
