"""The contracts of settlement through a chain reader; implements `ports.Contracts`.

Also the outbox's done-checks: an intent whose effect another operator brought about is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from opendepin.chain.abi import Contract
from opendepin.chain.errors import NodeFault, Reverted
from opendepin.chain.events import DeviceRecord
from opendepin.chain.outbox import DoneCheck, Intent
from opendepin.chain.ports import ChainReader
from opendepin.chain.transactions import MAX_TRANSACTION_GAS
from opendepin.core.batch import Segment
from opendepin.core.encodings import keccak256
from opendepin.core.identity import Status
from opendepin.core.statement import encoded_outputs
from opendepin.core.task import Task, TaskState
from opendepin.dims.settlement.ports import Now, Terms
from opendepin.dims.settlement.rules import Ready

OPEN, ASSIGN, SETTLE, CLAIM = "open", "assign", "settle", "claim"
REOPEN, DECLINE, SETTLE_MANY = "reopen", "decline", "settle_many"
NONE = bytes(32)
CALLBACK_RESERVE = 1_300_000
"""Gas that must be left when a project's contract is called; most of it comes back."""
GAS_PER_TASK = 900_000
"""Given, not estimated: what one task of several does may fail without failing the transaction, so
an estimate would find the gas with which all of them fail.
"""


@dataclass(frozen=True)
class Book:
    """The contracts this room speaks to."""

    settlement: Contract
    inbox: Contract
    programs: Contract
    escrow: Contract
    operators: Contract
    devices: Contract


class ContractsOnChain:
    """Reads state, writes intents."""

    def __init__(self, chain: ChainReader, book: Book) -> None:
        self._chain, self._book = chain, book

    async def now(self) -> Now:
        """Return height, time and finality."""
        header = await self._chain.block()
        if header is None:
            raise NodeFault("the node has no newest block")
        return Now(header.number, header.time, (await self._chain.finalized()).height)

    async def segment_hash(self, batch: int, index: int) -> bytes:
        """Return the segment hash that the inbox keeps."""
        call = self._book.inbox.call("segment_hash", batch, index, returns=bytes)
        return await self._chain.call(call)

    async def task_at(self, batch: int, index: int) -> bytes:
        """Return the id of a segment's task, 32 zero bytes when it has none."""
        call = self._book.settlement.call("task_at", batch, index, returns=bytes)
        return await self._chain.call(call)

    async def task(self, identifier: bytes) -> Task:
        """Return a task."""
        return await self._chain.call(self._book.settlement.call("task", identifier, returns=Task))

    async def program_in_force(self, project: int, batch: int) -> bytes:
        """Return the program id that was in force for a project when the inbox took a batch, 32
        zero bytes when it had none.
        """
        height = await self._chain.call(self._book.inbox.call("inbox_block", batch, returns=int))
        programs = self._book.programs
        return await self._chain.call(programs.call("in_force", project, height, returns=bytes))

    async def terms(self, project: int, program: bytes) -> Terms:
        """Return a program's terms."""
        call = self._book.programs.call("terms", project, program, returns=Terms)
        return await self._chain.call(call)

    async def affordable(self, project: int, work: int) -> bool:
        """Say whether a project's free balance covers work and the protocol's share of it."""
        escrow = self._book.escrow
        cost = await self._chain.call(escrow.call("cost", work, returns=int))
        return cost <= await self._chain.call(escrow.call("balance_of", project, returns=int))

    async def operators(self) -> list[bytes]:
        """Return the operators that have not left, by seat."""
        return await self._chain.call(self._book.operators.call("seats", returns=list[bytes]))

    async def owner_at(self, project: int, device_index: int) -> bytes | None:
        """Return who owns the device at an index; None when there is none or it is revoked."""
        devices = self._book.devices
        device = await self._chain.call(
            devices.call("device_at", project, device_index, returns=int)
        )
        if device == 0:
            return None
        record = await self._chain.call(devices.call("device", device, returns=DeviceRecord))
        if record.status == Status.REVOKED:
            return None
        return await self._chain.call(devices.call("ownerOf", device, returns=bytes))

    def open_intent(self, batch: int, index: int, segment: Segment, program: bytes) -> Intent:
        """Return the intent to open a segment's task."""
        key = f"{OPEN}/{batch}/{index}/{program.hex()}"
        return self._intent(key, OPEN, batch, index, segment)

    def assign_intent(self, task: bytes, attempt: int) -> Intent:
        """Return the intent to have an operator drawn."""
        return self._intent(f"{ASSIGN}/{task.hex()}/{attempt}", ASSIGN, task)

    def reopen_intent(self, task: bytes, attempt: int) -> Intent:
        """Return the intent to open a task again, for this attempt."""
        return self._intent(f"{REOPEN}/{task.hex()}/{attempt}", REOPEN, task)

    def decline_intent(self, task: bytes, attempt: int) -> Intent:
        """Return the intent to give a task of this attempt back."""
        return self._intent(f"{DECLINE}/{task.hex()}/{attempt}", DECLINE, task)

    def settle_many_intent(self, ready: Sequence[Ready]) -> Intent:
        """Return the intent to settle several tasks of one program."""
        about = b"".join(each.id + each.task.attempt.to_bytes(1, "big") for each in ready)
        tasks = [each.id for each in ready]
        outputs = [encoded_outputs(each.outputs) for each in ready]
        proofs = [each.proof for each in ready]
        key = f"{SETTLE_MANY}/{keccak256(about).hex()}"
        gas = min(MAX_TRANSACTION_GAS, CALLBACK_RESERVE + GAS_PER_TASK * len(tasks))
        made = self._intent(key, SETTLE_MANY, tasks, outputs, proofs)
        return replace(made, gas=gas)

    def settle_intent(
        self, task: bytes, attempt: int, outputs: Sequence[int], proof: bytes
    ) -> Intent:
        """Return the intent to settle a task."""
        key = f"{SETTLE}/{task.hex()}/{attempt}"
        return self._intent(key, SETTLE, task, encoded_outputs(outputs), proof)

    def claim_intent(
        self, task: bytes, device_index: int, units: int, path: Sequence[bytes]
    ) -> Intent:
        """Return the intent to claim one device's pay."""
        key = f"{CLAIM}/{task.hex()}/{device_index}"
        return self._intent(key, CLAIM, task, device_index, units, list(path))

    def checks(self) -> Mapping[str, DoneCheck]:
        """Return the outbox's done-checks by kind of intent."""
        return {
            OPEN: self._is_opened,
            ASSIGN: self._is_assigned,
            REOPEN: self._is_reopened,
            DECLINE: self._is_reopened,
            SETTLE: self._is_settled,
            SETTLE_MANY: self._are_settled,
            CLAIM: self._is_claimed,
        }

    def _intent(self, key: str, function: str, *arguments: object) -> Intent:
        contract = self._book.settlement
        return Intent(key, contract.address, contract.data(function, *arguments), kind=function)

    async def _is_opened(self, intent: Intent) -> bool:
        _, batch, index, program = intent.key.split("/")
        task = await self.task_at(int(batch), int(index))
        return task != NONE and (await self.task(task)).program.hex() == program

    async def _is_assigned(self, intent: Intent) -> bool:
        _, task, attempt = intent.key.split("/")
        found = await self.task(bytes.fromhex(task))
        if found.state in (TaskState.SETTLED, TaskState.RECALLED):
            return True
        if found.attempt > int(attempt):
            return True
        return found.state is TaskState.ASSIGNED and found.attempt == int(attempt)

    async def _is_reopened(self, intent: Intent) -> bool:
        kind, task, attempt = intent.key.split("/")
        found = await self.task(bytes.fromhex(task))
        if found.state in (TaskState.SETTLED, TaskState.RECALLED):
            return True
        return found.attempt >= int(attempt) + (kind == DECLINE)

    async def _are_settled(self, intent: Intent) -> bool:
        arguments = self._book.settlement.interface.arguments(SETTLE_MANY, intent.data)
        tasks: list[bytes] = arguments[0] if arguments else []
        states = [(await self.task(task)).state for task in tasks]
        return bool(states) and all(state is TaskState.SETTLED for state in states)

    async def _is_settled(self, intent: Intent) -> bool:
        return (await self.task(bytes.fromhex(intent.key.split("/")[1]))).state is TaskState.SETTLED

    async def _is_claimed(self, intent: Intent) -> bool:
        _, task, index = intent.key.split("/")
        call = self._book.settlement.call("claimed", bytes.fromhex(task), int(index), returns=bool)
        try:
            return await self._chain.call(call)
        except Reverted:
            return False
