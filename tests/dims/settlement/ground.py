"""A Layer 1 with every contract, two operators, and batches of signed readings in its inbox.

The only stand-in is the proof: `Counting` proves by naming the statement, which is what the mock
verifier contract takes. The true prover has its own tests and runs in the whole network's.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opendepin.chain import artifacts
from opendepin.chain.abi import Contract
from opendepin.chain.deploy import ORDER, Parameters, deploy
from opendepin.chain.follower import Follower, FollowerConfig
from opendepin.chain.outbox import Outbox, OutboxConfig, OutboxStore
from opendepin.contracts import sources
from opendepin.core import message
from opendepin.core.batch import BatchHeader, Segment, SegmentBody, encode_body, segments_root
from opendepin.core.encodings import abi_encode, sha256
from opendepin.core.errors import DepinError, PeerFault, Rejected
from opendepin.core.field_tree import FieldTree
from opendepin.core.group import Group, GroupHeader
from opendepin.core.identity import KeyChange, Status
from opendepin.core.journey import Reading, Settled
from opendepin.core.keys import Key
from opendepin.core.layout import Layout
from opendepin.core.merkle import root
from opendepin.core.readings import ProjectRules, check_segment, group_leaves
from opendepin.core.schema import Field, Schema
from opendepin.core.statement import program_id
from opendepin.core.units import WEI_PER_TOKEN
from opendepin.dims.compute.client import AssignmentsOnChain
from opendepin.dims.compute.config import ComputeConfig
from opendepin.dims.compute.ports import Prepared
from opendepin.dims.compute.service import Compute
from opendepin.dims.settlement.client import Book, ContractsOnChain
from opendepin.dims.settlement.config import SettlementConfig
from opendepin.dims.settlement.service import Settlement
from opendepin.dims.settlement.view import View
from opendepin.proofs.ports import Envelope
from opendepin.runtime import telemetry
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.service import Stop
from opendepin.runtime.telemetry import Counters
from tests.chain.conftest import CACHE, FUNDED, Node

QUIET = telemetry.log("test", io.StringIO())
OWNER, OPERATORS, SEQUENCER = FUNDED[10], FUNDED[11:13], FUNDED[13]
DEPLOYER, SUBMITTER = FUNDED[14], FUNDED[15]
GATEWAY = Key.from_seed(b"gateway of settlement tests")
ATTESTERS = sorted((Key.from_seed(b"attester %d" % n) for n in range(4)), key=lambda k: k.address)
DEVICES = [Key.from_seed(b"station %d" % n) for n in range(3)]
SCHEMA = Schema((Field(1, "observed_s", 0, 2**32), Field(2, "value", 0, 100_000)))
CAPACITY = 8
BOND, CAPACITY_AT_ONCE, ZK = 10**15, 64, 2
RULES = ProjectRules(SCHEMA, proven=True, capacity=CAPACITY)
HASHES = (b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)
PROGRAM = program_id(*HASHES)
NEWER_HASHES = (b"\x04" * 32, b"\x05" * 32, b"\x06" * 32)
NEWER = program_id(*NEWER_HASHES)
"""A version that replaces the first one."""
FEE, RATE, BPS, WINDOW_S = 10**15, 10**12, 300, 30
CONTRACTS = (
    *ORDER,
    *(str(sources.ROOT / "mocks" / f"{n}.vy") for n in ("StatementVerifier", "Receiver")),
)


def histories(device: bytes) -> Sequence[KeyChange]:
    """Key histories of the stations, as the registry would have them."""
    for index, key in enumerate(DEVICES):
        if key.address == device:
            return [KeyChange(device, Status.ACTIVE, 1, index, key.public, 0)]
    return ()


class Identity:
    """The histories behind the port."""

    async def reach(self, block: int) -> None:
        pass

    def history(self, device: bytes) -> Sequence[KeyChange]:
        return histories(device)


class Counting:
    """Outputs: count, sum, then readings per station. Fails as often as it is told."""

    kind, program = "counting", b"\x02" * 32

    def __init__(self) -> None:
        self.faults: list[BaseException] = []
        self.proofs = 0
        self.delay = 0.0
        self.forge = False

    async def outputs(self, readings: Sequence[Reading]) -> tuple[int, ...]:
        units = [sum(r.device_index == index for r in readings) for index in range(len(DEVICES))]
        return len(readings), sum(r.values[0] for r in readings), *units

    async def prove(self, statement: int, readings: Sequence[Reading]) -> Envelope:
        await asyncio.sleep(self.delay)
        if self.faults:
            raise self.faults.pop(0)
        self.proofs += 1
        field_root = field_root_of(readings)
        proof = abi_encode(["uint256", "uint256"], [statement + self.forge, field_root])
        return Envelope(self.kind, self.program, await self.outputs(readings), proof)

    async def verify(self, statement: int, field_root: int, envelope: Envelope) -> None:
        good = abi_encode(["uint256", "uint256"], [statement + self.forge, field_root])
        if envelope.proof != good:
            raise Rejected("no proof of this statement", code="proof-invalid")

    async def close(self) -> None:
        pass


def field_root_of(readings: Sequence[Reading], capacity: int = CAPACITY) -> int:
    """Return the commitment to readings."""
    return FieldTree(Layout.of(SCHEMA), capacity).root(readings)


@dataclass
class Stores:
    """Headers, segments and bodies of batches; some may be away or false."""

    batches: dict[int, tuple[BatchHeader, tuple[Segment, ...], bytes]] = field(default_factory=dict)
    away: set[int] = field(default_factory=set)
    false: set[int] = field(default_factory=set)

    def _batch(self, number: int) -> tuple[BatchHeader, tuple[Segment, ...], bytes]:
        if number in self.away or number not in self.batches:
            raise PeerFault("no store answers", code="store-away")
        return self.batches[number]

    async def header(self, batch: int) -> BatchHeader:
        return self._batch(batch)[0]

    async def segments(self, batch: int) -> Sequence[Segment]:
        segments = self._batch(batch)[1]
        return segments[::-1] if batch in self.false and len(segments) > 1 else segments

    async def read(self, header: BatchHeader) -> bytes:
        return self._batch(header.number)[2]


class Programs:
    """Both versions of one program behind the port."""

    def __init__(self, kind: Counting) -> None:
        self.kind = kind

    async def program(self, project: int, program_id: bytes) -> Prepared:
        if project != 1 or program_id not in (PROGRAM, NEWER):
            raise Rejected("no such program here", code="unknown-program")
        return Prepared(RULES, self.kind)


@dataclass
class Operator:
    """One operator's rooms and outbox, as a process would run them."""

    key: Key
    compute: Compute
    settlement: Settlement
    counters: Counters
    kind: Counting
    settled: list[Settled]
    parts: list[Callable[[Stop], Any]]
    stop: Stop = field(default_factory=Stop)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self.tasks = [asyncio.ensure_future(part(self.stop)) for part in self.parts]

    async def end(self) -> None:
        """End at once, as a killed process would, keeping only what is durable."""
        self.stop.set()
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(asyncio.CancelledError):
                await task

    def check(self) -> None:
        for task in self.tasks:
            if task.done():
                task.result()


@dataclass
class Ground:
    """The L1 with the network on it."""

    node: Node
    book: dict[str, Contract]
    network_id: bytes
    home: Path
    stores: Stores = field(default_factory=Stores)
    readings: dict[int, list[Reading]] = field(default_factory=dict)
    position: int = 0
    seq: int = 0
    terms: tuple[object, ...] = ()
    """What every version of the program pays and whom it asks, as `Programs.register` takes it."""

    async def send(
        self, key: Key, name: str, function: str, *arguments: object, value: int = 0
    ) -> Any:
        """Send a call that must pass."""
        contract = self.book[name]
        data = contract.data(function, *arguments)
        receipt = await self.node.mined(await self.node.send(key, contract.address, data, value))
        assert receipt.succeeded, f"{name}.{function}"
        return receipt

    async def read(self, name: str, function: str, *arguments: object, returns: type) -> Any:
        return await self.node.client.call(
            self.book[name].call(function, *arguments, returns=returns)
        )

    def body(self, count: int, block: int) -> SegmentBody:
        """Sign `count` readings and commit them as one group."""
        raw, ids = list[bytes](), list[bytes]()
        aad = message.external_aad(self.network_id, 1)
        for number in range(count):
            key = DEVICES[number % len(DEVICES)]
            self.seq += 1
            data = {1: 1_000 + self.seq, 2: 10 * number}
            raw.append(message.build(key, key.address, self.seq, 1_700_000_000_000, data, aad))
            ids.append(message.message_id(message.parse(raw[-1]), aad))
        first = self.position + 1
        self.position += count
        bare = GroupHeader(
            self.network_id, 1, GATEWAY.address, first, count, block, block + 100, bytes(32)
        )
        header = GroupHeader(
            self.network_id,
            1,
            GATEWAY.address,
            first,
            count,
            block,
            block + 100,
            root(group_leaves(bare, ids)),
        )
        group = Group(header, GATEWAY.sign_recoverable(header.digest()), tuple(raw))
        return SegmentBody(1, (group,))

    async def batch(self, *counts: int, capacity: int = CAPACITY) -> int:
        """Seal a batch of segments with these many readings and have the inbox accept it."""
        block = (await self.node.client.finalized()).height
        bodies = [self.body(count, block) for count in counts]
        segments, read = list[Segment](), list[Reading]()
        for body in bodies:
            checked = check_segment(body, {GATEWAY.address}, RULES, histories)
            segments.append(checked.segment(field_root_of(checked.readings, capacity)))
            read += checked.readings
        data = encode_body(bodies)
        number = await self.read("BatchInbox", "count", returns=int) + 1
        newest = await self.node.client.block()
        assert newest is not None
        header = BatchHeader(
            self.network_id,
            number,
            await self.read("BatchInbox", "head", returns=bytes),
            segments_root(segments),
            sha256(data),
            len(data),
            newest.time,
        )
        self.stores.batches[number] = header, tuple(segments), data
        self.readings[number] = read
        await self.send(
            SUBMITTER,
            "BatchInbox",
            "submit",
            number,
            header.parent,
            header.data_root,
            header.data_bytes,
            header.time,
            segments,
            SEQUENCER.sign_recoverable(header.sequence_digest()),
            [key.sign_recoverable(header.attest_digest()) for key in ATTESTERS[:3]],
        )
        return number

    def operator(self, index: int, kind: Counting | None = None, **config: Any) -> Operator:
        """Build one operator's process; its outbox file stays over restarts."""
        key, clock, chain = OPERATORS[index], SystemClock(), self.node.client
        kind = kind or Counting()
        counters, settled = Counters(f"operator-{index}", (), clock), list[Settled]()
        contracts = ContractsOnChain(
            chain,
            Book(
                *(
                    self.book[n]
                    for n in (
                        "Settlement",
                        "BatchInbox",
                        "Programs",
                        "Escrow",
                        "Operators",
                        "Devices",
                    )
                )
            ),
        )
        outbox = Outbox(
            chain,
            key,
            OutboxStore(self.home / f"operator-{index}.outbox"),
            clock,
            QUIET,
            OutboxConfig(poll_s=0.25),
            contracts.checks(),
        )
        view = View(self.book["Settlement"], self.book["BatchInbox"])
        settlement = Settlement(
            SettlementConfig(key.address, 2, poll_s=0.25, stagger_s=1.0, retry_s=0.5, **config),
            view=view,
            contracts=contracts,
            segments=self.stores,
            outbox=outbox,
            clock=clock,
            counters=counters,
            log=QUIET,
            on_settled=settled.append,
        )
        assignments = AssignmentsOnChain(
            chain, self.book["Settlement"], self.book["BatchInbox"], key.address
        )
        compute = Compute(
            ComputeConfig(
                self.network_id,
                self.book["Settlement"].address,
                key.address,
                frozenset({GATEWAY.address}),
                poll_s=0.25,
                retry_s=0.2,
                max_retry_s=1.0,
            ),
            assignments=assignments,
            headers=self.stores,
            bodies=self.stores,
            identity=Identity(),
            programs=Programs(kind),
            results=settlement,
            clock=clock,
            counters=counters,
            log=QUIET,
        )
        addresses = [self.book[name].address for name in ("Settlement", "BatchInbox")]
        fast = FollowerConfig(poll_s=0.25)
        parts = [
            outbox.run,
            Follower(chain, addresses, view, clock, QUIET, fast).run,
            Follower(chain, addresses[:1], assignments, clock, QUIET, fast).run,
            settlement.run,
            compute.run,
        ]
        return Operator(key, compute, settlement, counters, kind, settled, parts)


async def until(
    condition: Callable[[], Any], operators: Sequence[Operator] = (), limit: float = 240
) -> None:
    """Wait until a condition holds; the operators' parts must not have failed meanwhile."""
    async with asyncio.timeout(limit):
        while True:
            for operator in operators:
                operator.check()
            found = condition()
            if asyncio.iscoroutine(found):
                with suppress(DepinError):
                    found = await found
            if found:
                return
            await asyncio.sleep(0.1)


async def lay(node: Node, home: Path) -> Ground:
    """Deploy the network, register project, program and operators, and fund the escrow."""
    made = await artifacts.ensure(CONTRACTS, CACHE)
    asked = Parameters(
        sequencer=SEQUENCER.address,
        attesters=tuple(key.address for key in ATTESTERS),
        threshold=3,
        gateways=(GATEWAY.address,),
        treasury=OWNER.address,
        authority=OWNER.address,
        genesis_supply=20_000_000 * WEI_PER_TOKEN,
        reserve=500_000 * WEI_PER_TOKEN,
        project_fee=0,
        device_fee=0,
        burn_bps=0,
        bond=BOND,
        exit_delay_s=60,
        epoch_s=5,
        miss_bps=500,
        max_identity_age=100_000,
        protocol_bps=BPS,
        draw_delay=2,
        window_s=WINDOW_S,
        data_chunks=16,
    )
    genesis = await deploy(node.client, DEPLOYER, made, asked, SystemClock(), QUIET)
    book = {name: genesis.contract(name, CACHE) for name in ORDER}
    ground = Ground(node, book, genesis.network_id, home)
    found = {Path(name).stem: artifact for name, artifact in made.items()}
    verifier = await node.deploy(found["StatementVerifier"], 5, 0)
    receiver = await node.deploy(found["Receiver"])
    for key in OPERATORS:
        await ground.send(key, "Operators", "join", CAPACITY_AT_ONCE, ZK, value=BOND)
    await ground.send(OWNER, "Projects", "register", "stations", bytes(32))
    ground.terms = (verifier, 2, 3, FEE, RATE, receiver)
    await ground.send(OWNER, "Programs", "register", 1, *HASHES, *ground.terms)
    await ground.send(OWNER, "Escrow", "deposit", 1, value=WEI_PER_TOKEN)
    return ground
