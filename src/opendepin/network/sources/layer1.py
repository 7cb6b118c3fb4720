"""Layer 1 as a source of blocks, decoded logs and settling calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opendepin.chain.abi import Interface
from opendepin.chain.jsonrpc import Rpc
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import DepinError, PeerFault
from opendepin.explorer.errors import SourceAway
from opendepin.explorer.ports import L1, L1Block, L1Event, SettleCall
from opendepin.network.parts import Parts

SETTLE, SETTLE_MANY = "settle", "settle_many"
SETTLED = "TaskSettled"


class L1Source:
    """Blocks and decoded logs of every contract of the network and of its projects."""

    def __init__(self, built: Parts) -> None:
        self._parts = built
        self._chain = built.chain
        self._rpc = Rpc(built.addresses["l1"], built.posting, built.clock)
        self._by_address: dict[bytes, tuple[str, Interface]] = {
            built.genesis.address(name): (name, built.compiled[name].interface)
            for name in built.genesis.contracts
            if name in built.compiled
        }
        self._callback = built.compiled["CleanAirCover"].interface

    async def head(self) -> L1Block:
        """Return the newest block."""
        return await self._block(None)

    async def final_height(self) -> int:
        """Return the newest final height."""
        try:
            return (await self._chain.finalized()).height
        except DepinError as error:
            raise SourceAway(str(error)) from error

    async def blocks(self, first: int, last: int) -> Sequence[L1Block]:
        """Return the blocks first..last that exist."""
        found: list[L1Block] = []
        for height in range(first, last + 1):
            try:
                found.append(await self._block(height))
            except IndexError:
                break
        return found

    async def _block(self, height: int | None) -> L1Block:
        try:
            header = await self._chain.block(height)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        if header is None:
            raise IndexError(height)
        return L1Block(header.number, header.hash, header.parent, header.time)

    async def events(self, first: int, last: int) -> Sequence[L1Event]:
        """Return the decoded logs of the blocks first..last, in order."""
        known = dict(self._by_address)
        for file in self._parts.projects.all():
            known[from_hex(file.callback, 20)] = ("CleanAirCover", self._callback)
        try:
            logs = await self._chain.logs(list(known), first, last)
            read = [(log, known[log.address][1].read_log(log.topics, log.data)) for log in logs]
        except DepinError as error:
            raise SourceAway(str(error)) from error
        return [
            L1Event(
                contract=known[log.address][0],
                name=found[0],
                args=found[1],
                height=log.block,
                block_hash=log.block_hash,
                log_index=log.index,
                transaction=log.transaction,
            )
            for log, found in read
            if found is not None
        ]

    async def settle_call(self, transaction: bytes, task: bytes) -> SettleCall | None:
        """Return what a settling transaction carried; None when it was no direct call."""
        settlement = self._parts.contract("Settlement")
        try:
            row: Any = await self._rpc.call("eth_getTransactionByHash", to_hex(transaction))
            receipt = await self._chain.receipt(transaction)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        if row is None or receipt is None or row.get("to") != to_hex(settlement.address):
            return None
        data = from_hex(row["input"])
        arguments = settlement.interface.arguments(SETTLE, data)
        if arguments is not None and arguments[0] == task:
            return SettleCall(_words(arguments[1]), arguments[2], receipt.gas_used)
        many = settlement.interface.arguments(SETTLE_MANY, data)
        if many is None or task not in many[0]:
            return None
        tasks, outputs, proofs = many
        place = tasks.index(task)
        return SettleCall(_words(outputs[place]), proofs[place], receipt.gas_used // len(tasks))


def _words(encoded: bytes) -> tuple[int, ...]:
    """Return the values of an abi.encode(uint256[])."""
    places = range(64, len(encoded), 32)
    return tuple(int.from_bytes(encoded[at : at + 32], "big") for at in places)


class Settlements:
    """The events that tell of tasks' settlement; those of final blocks are read once."""

    def __init__(self, l1: L1) -> None:
        self._l1 = l1
        self._final: dict[bytes, L1Event] = {}
        self._next = 0
        """First block that was not final when it was read last."""

    async def of(self, task: bytes) -> L1Event:
        """Return the event that tells of a task's settlement.

        Raises:
            PeerFault: there is none.
        """
        first, final = self._next, await self._l1.final_height()
        head = (await self._l1.head()).height
        fresh: dict[bytes, L1Event] = {}
        for event in await self._l1.events(first, head):
            if event.name == SETTLED:
                fresh[event.args["task"]] = event
        self._final |= {of: event for of, event in fresh.items() if event.height <= final}
        self._next = max(self._next, final + 1)
        found = fresh.get(task, self._final.get(task))
        if found is None:
            raise PeerFault(f"no event says that task 0x{task.hex()} was settled")
        return found
