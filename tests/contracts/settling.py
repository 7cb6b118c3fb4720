"""A whole settlement in one EVM: real contracts, accepted batches, and tasks over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import boa
from boa.util.abi import Address

from opendepin.core import merkle
from opendepin.core.batch import BatchHeader, Range, Segment, segments_root
from opendepin.core.draw import Member
from opendepin.core.encodings import abi_encode, keccak256
from opendepin.core.keys import Key
from opendepin.core.statement import (
    HASHES_SERVED,
    Statement,
    encoded_outputs,
    outputs_hash,
    program_id,
    task_id,
)
from tests.contracts import world
from tests.contracts.registry import Registry

GATEWAY = Key.from_seed(b"gateway").address
OPERATORS = tuple(Key.from_seed(b"operator %d" % i) for i in range(3))
DEVICE_OWNER = Key.from_seed(b"device owner")
STRANGER = Key.from_seed(b"a stranger")

PROTOCOL_BPS = 300
OPERATOR_FEE = 10**16
UNIT_RATE = 10**13
DRAW_DELAY = 2
WINDOW = 120
CAPACITY = 100
RECALL_DELAY = 4 * WINDOW
DEPOSIT = 10 * world.ETHER

HASHES = (b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)
"""Manifest, circuit and verification key hash of the program."""

OPEN, ASSIGNED, SETTLED, RECALLED = 1, 2, 3, 4


HISTORY = Address("0x0000F90827F1C53a10cb7A02335B175320002935")
"""The contract of EIP-2935, which holds the hashes of the last 8,191 blocks."""

HISTORY_CODE = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff"
    "81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
)
"""Its code, as the EIP gives it."""


def block_hash(height: int) -> bytes:
    """Return the hash of a block of the test's EVM."""
    return keccak256(b"block %d" % height)


def write_history(first: int, end: int) -> None:
    """Write what the blocks up to `end` have left in the history contract since block `first`."""
    for height in range(max(0, first, end - HASHES_SERVED), end):
        hashed = int.from_bytes(block_hash(height), "big")
        boa.env.set_storage(HISTORY, height % HASHES_SERVED, hashed)


def blocks(count: int, seconds: int | None = None) -> None:
    """Let blocks go by, a second each unless told otherwise."""
    before = boa.env.evm.patch.block_number
    boa.env.evm.patch.block_number = before + count
    write_history(before, before + count)
    boa.env.evm.patch.timestamp += count if seconds is None else seconds


def seconds(count: int) -> None:
    """Let time go by, and one block."""
    blocks(1, count)


@dataclass(frozen=True)
class Opened:
    """A task and what it was opened over."""

    id: bytes
    batch: int
    index: int
    segment: Segment
    program: bytes


@dataclass
class Settling:
    """Contracts bound to each other, and how the services drive them."""

    burner: Any
    projects: Any
    registry: Registry
    operators: Any
    inbox: Any
    programs: Any
    escrow: Any
    settlement: Any
    verifier: Any
    receiver: Any
    network_id: bytes = world.NETWORK_ID
    parents: list[bytes] = field(default_factory=lambda: [world.NETWORK_ID])

    @property
    def owner(self) -> Any:
        """The account of project 1's owner."""
        return world.account(world.PROJECT_OWNER)

    def register_program(self, hashes: Sequence[bytes] = HASHES, **changed: Any) -> bytes:
        """Register a program of project 1, in force from the next block on, which comes; keywords
        replace single arguments.
        """
        terms: dict[str, Any] = {
            "project": 1,
            "manifest_hash": hashes[0],
            "circuit_hash": hashes[1],
            "vk_hash": hashes[2],
            "verifier": self.verifier.address,
            "pay_offset": 2,
            "pay_count": 3,
            "operator_fee": OPERATOR_FEE,
            "unit_rate": UNIT_RATE,
            "callback": self.receiver.address,
            "sender": self.owner,
        } | changed
        sender = terms.pop("sender")
        self.programs.register(*terms.values(), sender=sender)
        blocks(1)
        return program_id(*hashes)

    def submit(self, segments: Sequence[Segment]) -> int:
        """Have the inbox accept a batch with these segments; return its number."""
        number = self.inbox.count() + 1
        header = BatchHeader(
            self.network_id,
            number,
            self.inbox.head(),
            segments_root(segments),
            b"\x07" * 32,
            1_000,
            boa.env.evm.patch.timestamp,
        )
        self.inbox.submit(
            number,
            header.parent,
            header.data_root,
            header.data_bytes,
            header.time,
            [segment_call(segment) for segment in segments],
            world.SEQUENCER.sign_recoverable(header.sequence_digest()),
            [
                key.sign_recoverable(header.attest_digest())
                for key in world.ATTESTERS[: world.THRESHOLD]
            ],
        )
        return number

    def segment(self, count: int = 6, project: int = 1, field_root: int = 77) -> Segment:
        """Make the next segment of `count` messages of a project."""
        covered = self.inbox.covered(world.address_text(GATEWAY), project)
        first, block = covered.position + 1, boa.env.evm.patch.block_number - 1
        ranges = (Range(GATEWAY, first, first + count - 1, block, block),)
        root = keccak256(b"segment %d %d" % (project, first))
        return Segment(project, root, field_root, count, ranges)

    def open(self, count: int = 6) -> Opened:
        """Submit a batch of one segment and open its task."""
        segment = self.segment(count)
        batch = self.submit([segment])
        program = self.programs.current(1)
        task = self.settlement.open(batch, 0, segment_call(segment), sender=world.account(STRANGER))
        return Opened(task, batch, 0, segment, program)

    def task_id(self, batch: int, index: int, project: int, program: bytes) -> bytes:
        """Return the id that the ground computes."""
        inbox = self.inbox.address.canonical_address
        return task_id(self.network_id, inbox, batch, index, project, program)

    def assign(self, opened: Opened) -> bytes:
        """Wait for the seed, draw, and return the operator's address."""
        blocks(DRAW_DELAY + 1)
        self.settlement.assign(opened.id, sender=world.account(STRANGER))
        return self.settlement.task(opened.id).assignee.canonical_address

    def reopen(self, opened: Opened) -> bytes:
        """Let a task's deadline pass, open it again, draw, and return the operator."""
        seconds(WINDOW + 1)
        self.settlement.reopen(opened.id, sender=world.account(STRANGER))
        return self.assign(opened)

    def members(self, version: int) -> list[Member]:
        """Return a snapshot as the ground reads it."""
        found = self.operators.members(version)
        return [Member(each.operator.canonical_address, each.weight) for each in found]

    def assigned(self, count: int = 6) -> tuple[Opened, bytes]:
        """Open and assign a task."""
        opened = self.open(count)
        return opened, self.assign(opened)

    def statement(self, opened: Opened, outputs: Sequence[int], producer: bytes) -> Statement:
        """Return the statement that the ground computes."""
        return Statement(
            self.network_id,
            self.settlement.address.canonical_address,
            opened.id,
            opened.program,
            opened.segment.root,
            opened.segment.field_root,
            opened.segment.count,
            outputs_hash(outputs),
            producer,
        )

    def proof(self, opened: Opened, outputs: Sequence[int], producer: bytes) -> bytes:
        """Return what the mock verifier takes for a proof of the right statement."""
        number = self.statement(opened, outputs, producer).number()
        return abi_encode(["uint256", "uint256"], [number, opened.segment.field_root])

    def settle(self, opened: Opened, outputs: Sequence[int], producer: bytes) -> None:
        """Settle a task by anybody's transaction."""
        proof = self.proof(opened, outputs, producer)
        self.settlement.settle(
            opened.id, encoded_outputs(outputs), proof, sender=world.account(STRANGER)
        )

    def settled(self, outputs: Sequence[int] = (9, 8, 1, 2, 3)) -> tuple[Opened, bytes]:
        """Open, assign and settle a task of six readings."""
        opened, producer = self.assigned()
        self.settle(opened, outputs, producer)
        return opened, producer

    def register_devices(self, count: int = 3, owner: Key = DEVICE_OWNER) -> list[bytes]:
        """Register devices of project 1; index i gets the i-th."""
        start = self.registry.contract.device_count(1)
        keys = [Key.from_seed(b"device %d" % (start + i)) for i in range(count)]
        return [self.registry.register(owner, key) for key in keys]

    def claim(self, opened: Opened, index: int, units: Sequence[int], **options: Any) -> None:
        """Claim the pay of one device index."""
        path = pay_path(opened.id, units, index)
        self.settlement.claim(opened.id, index, units[index], path, **options)

    def money(self) -> int:
        """Wei that the escrow holds."""
        return boa.env.get_balance(self.escrow.address)

    def events(self, contract: Any, name: str) -> list[Any]:
        """Events of the last call, by name."""
        return [event for event in contract.get_logs() if type(event).__name__ == name]


def segment_call(segment: Segment) -> tuple[Any, ...]:
    """Write a segment as the EVM's interface takes it."""
    ranges = [
        (world.address_text(r.gateway), r.first, r.last, r.identity_first, r.identity_last)
        for r in segment.ranges
    ]
    return segment.project, segment.root, segment.field_root, segment.count, ranges


def pay_leaves(task: bytes, units: Sequence[int]) -> list[bytes]:
    """Return the leaves of a task's pay tree."""
    return [merkle.pay_leaf(task, index, each) for index, each in enumerate(units)]


def pay_root(task: bytes, units: Sequence[int]) -> bytes:
    """Return the root of a task's pay tree."""
    return merkle.root(pay_leaves(task, units), merkle.pay_node)


def pay_path(task: bytes, units: Sequence[int], index: int) -> list[bytes]:
    """Return a leaf's path."""
    return merkle.path(pay_leaves(task, units), index, merkle.pay_node)


def build(outputs: int = 5, gas: int = 0) -> Settling:
    """Deploy everything: project 1 with money and a program, three operators."""
    boa.env.set_balance(boa.env.eoa, world.RICH)
    boa.env.set_code(HISTORY, HISTORY_CODE)
    burner = world.load("Burner")
    projects = world.deploy_projects(burner)
    devices = world.deploy_devices(projects, burner)
    operators = world.deploy_operators()
    inbox = world.deploy_inbox(world.deploy_attesters())
    programs = world.load("Programs", projects.address)
    escrow = world.load("Escrow", projects.address, burner.address, PROTOCOL_BPS)
    settlement = world.load(
        "Settlement",
        world.NETWORK_ID,
        inbox.address,
        programs.address,
        operators.address,
        escrow.address,
        devices.address,
        DRAW_DELAY,
        WINDOW,
    )
    escrow.bind(settlement.address)
    operators.bind(settlement.address)
    verifier = world.load("mocks/StatementVerifier", outputs, gas)
    receiver = world.load("mocks/Receiver")
    for key in OPERATORS:
        operators.join(CAPACITY, world.ZK, value=world.BOND, sender=world.account(key))
    built = Settling(
        burner,
        projects,
        Registry(devices),
        operators,
        inbox,
        programs,
        escrow,
        settlement,
        verifier,
        receiver,
    )
    built.register_program(pay_offset=2, pay_count=outputs - 2)
    escrow.deposit(1, value=DEPOSIT, sender=built.owner)
    return built
