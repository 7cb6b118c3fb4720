"""A genuine small network history, made by `core` alone: true keys, signatures, roots,
statements, real PM10 readings.

Seventy stations register, twelve days are replayed, batched, attested, proven (by the key's
trapdoor), settled, paid.
`World` keeps what each source of the explorer would say at any moment, so that a test can grow
it, fork its L1, and ask the ports for it. No process, no clock: everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from itertools import groupby
from typing import Any

from opendepin.core import merkle, statement
from opendepin.core.batch import (
    BatchHeader,
    Segment,
    SegmentBody,
    decode_body,
    encode_body,
    segment_leaves,
    segments_root,
)
from opendepin.core.chunks import encode as encode_chunks
from opendepin.core.draw import Member, drawn, snapshot_address
from opendepin.core.encodings import cbor_encode, keccak256, to_hex
from opendepin.core.group import Group, GroupHeader, leaf
from opendepin.core.identity import NO_HISTORY, KeyChange, Status, extend
from opendepin.core.journey import Reading
from opendepin.core.keys import Key
from opendepin.core.manifest import Manifest
from opendepin.core.message import build, external_aad, message_id, parse
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.demo.readings import Recorded, recorded
from opendepin.demo.stations import LANDS, STATIONS
from opendepin.explorer.ports import BatchRecord, L1Block, L1Event, SettleCall, Sources
from opendepin.explorer.sheets import NetworkSheet, Output, Place, ProjectSheet
from opendepin.proofs.zk.assembly import assemble
from tests.explorer.evidence import (
    EMPTY_CODE,
    State,
    block_header,
    key_hash,
    simulated_proof,
    verification_key,
)
from tests.explorer.slots import LAYOUT, TASK_MEMBERS, slot_of, slot_of_what

PROJECT = 1
CHAIN_ID = 770_077
START = 1_790_000_000
"""Unix seconds of L1 block 0."""

GROUP = 16
"""Messages per commit group: a day of fifty readings is four groups."""

OPERATOR_FEE, UNIT_RATE = 10**16, 10**15
LIMIT = 50_000
THRESHOLD, PAYOUT = 20, 10**18
DATA_CHUNKS = 4
DAYS = (date(2002, 12, 6), date(2002, 12, 17))
SCHEMA = CLEAN_AIR.schema
FIGURES = ("count", "exceedances", "sum", "minimum", "maximum")
PAY_OFFSET = len(LANDS) * len(FIGURES)
COMPUTE = "opendepin.demo.clean_air:CLEAN_AIR"
MANIFEST = Manifest("clean-air", "1", SCHEMA, COMPUTE, 256, PAY_OFFSET, len(STATIONS))
PROGRAM_TEXT = assemble(CLEAN_AIR).program.text
CIRCUIT_HASH, VK_HASH = assemble(CLEAN_AIR).program.hash, key_hash()


def key(name: str) -> Key:
    """Return the key of a role."""
    return Key.from_seed(f"explorer test {name}".encode())


CONTRACTS = {
    name: keccak256(f"contract {name}".encode())[12:]
    for name in (
        "Projects",
        "Devices",
        "BatchInbox",
        "Settlement",
        "Programs",
        "Operators",
        "Escrow",
        "Burner",
        "CleanAirCover",
    )
}
NETWORK_ID = statement.network_id(CHAIN_ID, CONTRACTS["Devices"])
GATEWAY, SEQUENCER = key("gateway"), key("sequencer")
ATTESTERS = sorted((key(f"attester {i}") for i in range(4)), key=lambda k: k.address)
OPERATORS = [key("operator 0"), key("operator 1")]
OWNER = key("owner").address
DEVICE_KEYS = [key(f"device {s.name}") for s in STATIONS]
MEMBERS = [Member(each.address, (7 + i) * 10**9 * 50) for i, each in enumerate(OPERATORS)]
VERSION, OPENED = 1, 9
"""The operators' snapshot of every task, and the block of every opening."""

PROGRAM = statement.program_id(MANIFEST.hash(), CIRCUIT_HASH, VK_HASH)
SETTLED = 3
"""Slot of each proven map, as a Vyper layout names them."""


def network_sheet() -> NetworkSheet:
    """Return the trust anchor of the test network."""
    return NetworkSheet(
        network_id=NETWORK_ID,
        chain_id=CHAIN_ID,
        genesis_hash=keccak256(b"genesis"),
        contracts=CONTRACTS,
        code_hashes=dict.fromkeys(CONTRACTS, EMPTY_CODE),
        sequencer=SEQUENCER.address,
        attesters=tuple(k.address for k in ATTESTERS),
        threshold=3,
        gateways=(GATEWAY.address,),
        data_chunks=DATA_CHUNKS,
        labels=(
            "development proving key",
            "embedded L1",
            "single sequencer",
            "recorded readings, time-compressed",
        ),
        notice="Recorded daily means of December 2002, replayed faster than they were taken.",
        layout=LAYOUT,
    )


def project_sheet() -> ProjectSheet:
    """Return the demo project as readers show it."""
    places = {
        i: Place(s.name, s.longitude, s.latitude, s.land, s.land_name)
        for i, s in enumerate(STATIONS)
    }
    outputs = [
        Output(
            figure,
            land,
            None,
            "" if figure in FIGURES[:2] else "µg/m³",
            0 if figure in FIGURES[:2] else 3,
        )
        for land in LANDS
        for figure in FIGURES
    ]
    outputs += [Output("units", "", index) for index in range(len(STATIONS))]
    return ProjectSheet(
        project=PROJECT,
        title="Clean-air cover",
        manifest=MANIFEST,
        value_field=2,
        value_name="PM10, daily mean",
        value_unit="µg/m³",
        value_scale=3,
        limit=LIMIT,
        places=places,
        outputs=tuple(outputs),
        circuit={"capacity": 256},
        hashes={"circuit": CIRCUIT_HASH, "verification_key": VK_HASH},
        verification_key=verification_key(),
        attribution="AirBase, European Environment Agency",
        unit_rate=UNIT_RATE,
    )


@cache
def days() -> tuple[tuple[Recorded, ...], ...]:
    """Return the replayed days."""
    chosen = (r for r in recorded() if DAYS[0] <= r.day <= DAYS[1])
    return tuple(tuple(rows) for _, rows in groupby(chosen, key=lambda r: r.day))


def outputs_of(readings: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Compute the program's outputs from (device index, value) in plain arithmetic."""
    found: list[int] = []
    for land in LANDS:
        values = [value for index, value in readings if STATIONS[index].land == land]
        ends = (min(values), max(values)) if values else (0, 0)
        found += [len(values), sum(v > LIMIT for v in values), sum(values), *ends]
    return tuple(found + [sum(i == index for i, _ in readings) for index in range(len(STATIONS))])


@dataclass
class World:
    """What every source says: an L1 of blocks with events, batches, a feed of groups."""

    salt: str = ""
    """Makes the block hashes of a fork differ."""
    blocks: list[L1Block] = field(default_factory=list[L1Block])
    events: list[list[tuple[str, str, dict[str, Any]]]] = field(
        default_factory=list[list[tuple[str, str, dict[str, Any]]]]
    )
    batches: dict[int, BatchRecord] = field(default_factory=dict[int, BatchRecord])
    feed: list[bytes] = field(default_factory=list[bytes])
    calls: dict[bytes, SettleCall] = field(default_factory=dict[bytes, SettleCall])
    storage: dict[bytes, dict[bytes, bytes]] = field(
        default_factory=dict[bytes, dict[bytes, bytes]]
    )
    histories: dict[int, bytes] = field(default_factory=dict[int, bytes])
    seqs: dict[int, int] = field(default_factory=dict[int, int])
    position: int = 0
    parent: bytes = NETWORK_ID
    exceedances: dict[int, int] = field(default_factory=dict[int, int])
    pending: list[list[Group]] = field(default_factory=list[list[Group]])

    def mine(self, *events: tuple[str, str, dict[str, Any]]) -> int:
        """Add a block with these events; returns its height."""
        height = len(self.blocks)
        parent = self.blocks[-1].hash if self.blocks else bytes(32)
        time = START + 2 * height
        header = block_header(parent, keccak256(self.salt.encode()), height, time)
        self.blocks.append(L1Block(height, keccak256(header), parent, time))
        self.events.append(list(events))
        return height

    def fork(self, height: int, salt: str) -> None:
        """Drop the blocks above `height`; those mined next have other hashes."""
        del self.blocks[height + 1 :]
        del self.events[height + 1 :]
        self.salt = salt

    def register(self) -> None:
        """Register project, program and all stations, twelve in a block."""
        self.mine()
        metadata = keccak256(b"clean air")
        project = {
            "project": PROJECT,
            "owner": OWNER,
            "name": "clean-air",
            "metadata_hash": metadata,
        }
        program = {
            "project": PROJECT,
            "program": PROGRAM,
            "manifest_hash": MANIFEST.hash(),
            "unit_rate": UNIT_RATE,
        }
        self.mine(
            ("Projects", "ProjectRegistered", project), ("Programs", "ProgramRegistered", program)
        )
        for start in range(0, len(STATIONS), 12):
            height = len(self.blocks)
            rows: list[tuple[str, str, dict[str, Any]]] = []
            for index in range(start, min(start + 12, len(STATIONS))):
                rows += self.key_change(index, Status.ACTIVE, DEVICE_KEYS[index].public, height)
                token = int.from_bytes(DEVICE_KEYS[index].address, "big")
                moved = {"sender": bytes(20), "receiver": OWNER, "token_id": token}
                rows.append(("Devices", "Transfer", moved))
            rows.append(
                (
                    "Burner",
                    "Burned",
                    {"sender": OWNER, "reason": b"device fee".ljust(32, b"\0"), "amount": 10**15},
                )
            )
            self.mine(*rows)

    def key_change(
        self, index: int, status: Status, public: bytes, height: int
    ) -> list[tuple[str, str, dict[str, Any]]]:
        """Return the event of a change of a device's key or status, and remember the
        accumulator.
        """
        device = DEVICE_KEYS[index].address
        change = KeyChange(device, status, PROJECT, index, public, height)
        self.histories[index] = extend(self.histories.get(index, NO_HISTORY), change)
        self._store("Devices", "history", [device], self.histories[index])
        about = {
            "device": int.from_bytes(device, "big"),
            "project": PROJECT,
            "index": index,
            "status": int(status),
        }
        rest = {"key_x": public[:32], "key_y": public[32:], "history": self.histories[index]}
        return [("Devices", "KeyChanged", {**about, **rest})]

    def admit(self, day: Sequence[Recorded]) -> list[Group]:
        """Sign one day's readings and admit them as commit groups."""
        aad, block = external_aad(NETWORK_ID, PROJECT), len(self.blocks) - 1
        groups: list[Group] = []
        for start in range(0, len(day), GROUP):
            raws: list[bytes] = []
            for row in day[start : start + GROUP]:
                seq = self.seqs[row.device_index] = self.seqs.get(row.device_index, 0) + 1
                device = DEVICE_KEYS[row.device_index]
                time_ms = self.blocks[-1].time * 1000 + start
                raws.append(
                    build(
                        device, device.address, seq, time_ms, {1: row.observed_s, 2: row.value}, aad
                    )
                )
            groups.append(self.group(raws, block))
        self.pending.append(groups)
        return groups

    def group(self, raws: Sequence[bytes], block: int) -> Group:
        """Sign a commit group and put it into the feed."""
        aad, first = external_aad(NETWORK_ID, PROJECT), self.position + 1
        leaves = [leaf(first + i, block, message_id(parse(raw), aad)) for i, raw in enumerate(raws)]
        root = merkle.root(leaves)
        header = GroupHeader(
            NETWORK_ID, PROJECT, GATEWAY.address, first, len(raws), block, block + 60, root
        )
        group = Group(header, GATEWAY.sign_recoverable(header.digest()), tuple(raws))
        self.position += len(raws)
        self.feed.append(group.encode())
        return group

    def seal(self) -> BatchRecord:
        """Seal the oldest admitted groups into the next batch, attest it, and let the inbox
        accept it.
        """
        groups = tuple(self.pending.pop(0))
        body = SegmentBody(PROJECT, groups)
        aad = external_aad(NETWORK_ID, PROJECT)
        messages = [parse(raw) for group in groups for raw in group.messages]
        root = merkle.root(segment_leaves(body, [message_id(m, aad) for m in messages]))
        index = {k.address: i for i, k in enumerate(DEVICE_KEYS)}
        readings = [
            Reading(index[m.device], m.seq, int(str(m.data[1])), SCHEMA.values(m.data))
            for m in messages
        ]
        field_root = CLEAN_AIR.tree.root(readings)
        segment = Segment(PROJECT, root, field_root, len(messages), body.ranges())
        data, number = encode_body([body]), len(self.batches) + 1
        data_root = encode_chunks(data, DATA_CHUNKS).data_root
        time = self.blocks[-1].time + 1
        header = BatchHeader(
            NETWORK_ID, number, self.parent, segments_root([segment]), data_root, len(data), time
        )
        attested = tuple(k.sign_recoverable(header.attest_digest()) for k in ATTESTERS[:3])
        signature = SEQUENCER.sign_recoverable(header.sequence_digest())
        record = BatchRecord(
            header, signature, (segment,), attested, data, (DATA_CHUNKS, 2 * DATA_CHUNKS)
        )
        self.batches[number], self.parent = record, header.hash()
        self._store("BatchInbox", "header_hash", [number.to_bytes(32, "big")], header.hash())
        words = [number.to_bytes(32, "big"), bytes(32)]
        self._store("BatchInbox", "segment_hash", words, segment.hash())
        taken = len(self.blocks).to_bytes(32, "big")
        self._store("BatchInbox", "inbox_block", [number.to_bytes(32, "big")], taken)
        self.mine(("BatchInbox", "BatchAccepted", self.accepted(record)))
        return record

    @staticmethod
    def accepted(record: BatchRecord) -> dict[str, Any]:
        """Return the arguments of the inbox's event."""
        h = record.header
        return {
            "number": h.number,
            "header_hash": h.hash(),
            "data_root": h.data_root,
            "segments": len(record.segments),
        }

    def task(self, record: BatchRecord) -> bytes:
        """Return the id of the task over a batch's segment."""
        inbox = CONTRACTS["BatchInbox"]
        return statement.task_id(NETWORK_ID, inbox, record.header.number, 0, PROJECT, PROGRAM)

    def draw(self, record: BatchRecord) -> tuple[bytes, bytes]:
        """Return the seed of a batch's task, and the operator drawn by it."""
        seed = keccak256(b"seed" + self.task(record))
        operator = drawn(self.task(record), seed, 0, MEMBERS)
        assert operator is not None
        return seed, operator

    def _keep_draw(self, record: BatchRecord) -> None:
        task, segment = self.task(record), record.segments[0]
        origin = PROJECT | record.header.number << 64 | segment.count << 128
        origin |= VERSION << 160 | OPENED << 200
        self._store("Settlement", "tasks", [task], origin.to_bytes(32, "big"), 3)
        self._store("Settlement", "tasks", [task], self.draw(record)[0], 5)
        snapshot = snapshot_address(CONTRACTS["Operators"], VERSION, MEMBERS)
        path = [VERSION.to_bytes(32, "big")]
        self._store("Operators", "snapshots", path, snapshot.rjust(32, b"\0"))

    def open_and_assign(self, record: BatchRecord) -> None:
        """Open the task of a batch and draw its operator."""
        task, number = self.task(record), record.header.number
        about = {"task": task, "project": PROJECT, "batch": number, "program": PROGRAM}
        about |= {"segment_index": 0}
        self.mine(("Settlement", "TaskOpened", {**about, "count": record.segments[0].count}))
        assigned = {"task": task, "operator": self.draw(record)[1], "attempt": 0}
        until = {"deadline": self.blocks[-1].time + 60, "skipped": 0}
        self.mine(("Settlement", "TaskAssigned", assigned | until))

    def settle(self, record: BatchRecord) -> None:
        """Prove and settle a batch's task; two of its devices are paid in the next block."""
        task, segment = self.task(record), record.segments[0]
        readings = [(r.device_index, r.value) for r in self.day_of(record)]
        outputs = outputs_of(readings)
        producer = self.draw(record)[1]
        self._keep_draw(record)
        digest = statement.outputs_hash(outputs)
        about = statement.Statement(
            NETWORK_ID,
            CONTRACTS["Settlement"],
            task,
            PROGRAM,
            segment.root,
            segment.field_root,
            segment.count,
            digest,
            producer,
        )
        number = about.number()
        proof = simulated_proof(number, statement.evaluation(outputs, number), segment.field_root)
        units = outputs[PAY_OFFSET:]
        pay_root = merkle.root(
            [merkle.pay_leaf(task, i, n) for i, n in enumerate(units)], merkle.pay_node
        )
        held = sum(units) * UNIT_RATE
        money = {
            "operator_paid": OPERATOR_FEE,
            "devices_held": held,
            "burned": (OPERATOR_FEE + held) // 50,
            "refunded": 0,
        }
        settled = {
            "task": task,
            "project": PROJECT,
            "producer": producer,
            "outputs_hash": digest,
            "pay_root": pay_root,
        }
        word = 1 << 251 | SETTLED << 248 | len(self.blocks) << 200
        duty = (word | int.from_bytes(producer, "big")).to_bytes(32, "big")
        for member, word in (("producer", duty), ("outputs_hash", digest), ("pay_root", pay_root)):
            self._store("Settlement", "tasks", [task], word, TASK_MEMBERS[member])
        burned = {
            "sender": CONTRACTS["Escrow"],
            "reason": b"protocol share".ljust(32, b"\0"),
            "amount": money["burned"],
        }
        self.mine(
            ("Settlement", "TaskSettled", {**settled, **money}),
            ("Burner", "Burned", burned),
            ("Settlement", "CallbackDone", {"task": task}),
            *self.covers(task, outputs),
        )
        self.calls[task] = SettleCall(outputs, proof, 312_000)
        paid = [i for i, n in enumerate(units) if n][:2]
        self.mine(*[("Settlement", "DevicePaid", self.paid(task, i, units[i])) for i in paid])

    def covers(self, task: bytes, outputs: Sequence[int]) -> list[tuple[str, str, dict[str, Any]]]:
        """Return what the cover contract says of a result."""
        totals = [outputs[region * 5 + 1] for region in range(len(LANDS))]
        counted = {"task": task, "season": 1, "readings": sum(outputs[0:PAY_OFFSET:5])}
        found = [("CleanAirCover", "ResultCounted", {**counted, "exceedances": sum(totals)})]
        for region, exceeded in enumerate(totals):
            before = self.exceedances.get(region, 0)
            self.exceedances[region] = before + exceeded
            about = {"region": region, "season": 1, "exceedances": before + exceeded}
            if exceeded:
                found.append(("CleanAirCover", "Exceeded", {**about, "task": task}))
            if before <= THRESHOLD < before + exceeded:
                found.append(("CleanAirCover", "PayoutDue", {**about, "amount": PAYOUT}))
        return found

    @staticmethod
    def paid(task: bytes, index: int, units: int) -> dict[str, Any]:
        """Return the arguments of a device's pay."""
        device = int.from_bytes(DEVICE_KEYS[index].address, "big")
        return {
            "task": task,
            "device": device,
            "owner": OWNER,
            "device_index": index,
            "amount": units * UNIT_RATE,
        }

    @staticmethod
    def day_of(record: BatchRecord) -> tuple[Recorded, ...]:
        """Return the recorded readings a batch carries."""
        return days()[record.header.number - 1]

    def _store(
        self, contract: str, name: str, path: Sequence[bytes], value: bytes, offset: int = 0
    ) -> None:
        self.storage.setdefault(CONTRACTS[contract], {})[slot_of(contract, name, path, offset)] = (
            value
        )

    def state(self) -> State:
        """Return the L1 state."""
        return State(self.storage)

    async def with_inbox_block(
        self, number: int, block: int, wanted: Sequence[tuple[str, str]]
    ) -> Mapping[str, Any] | None:
        """Prove storage of a state in which the inbox took a batch in another block."""
        inbox = CONTRACTS["BatchInbox"]
        slot = slot_of("BatchInbox", "inbox_block", [number.to_bytes(32, "big")])
        true, self.storage[inbox][slot] = self.storage[inbox][slot], block.to_bytes(32, "big")
        try:
            return await WorldPorts(self).prove(wanted)
        finally:
            self.storage[inbox][slot] = true

    def sources(self) -> Sources:
        """Return the explorer's ports over this world."""
        port = WorldPorts(self)
        return Sources(port, port, {GATEWAY.address: port}, port)


@dataclass
class WorldPorts:
    """A world behind the explorer's ports."""

    world: World

    async def head(self) -> L1Block:
        return self.world.blocks[-1]

    async def final_height(self) -> int:
        return max(0, len(self.world.blocks) - 3)

    async def blocks(self, first: int, last: int) -> Sequence[L1Block]:
        return self.world.blocks[first : last + 1]

    async def events(self, first: int, last: int) -> Sequence[L1Event]:
        found: list[L1Event] = []
        for block in self.world.blocks[first : last + 1]:
            for index, (contract, name, args) in enumerate(self.world.events[block.height]):
                transaction = keccak256(b"tx" + cbor_encode([block.hash, index]))
                found.append(
                    L1Event(contract, name, args, block.height, block.hash, index, transaction)
                )
        return found

    async def settle_call(self, transaction: bytes, task: bytes) -> SettleCall | None:
        return self.world.calls.get(task)

    async def batch(self, number: int) -> BatchRecord | None:
        return self.world.batches.get(number)

    async def after(self, number: int, limit: int) -> Sequence[tuple[int, bytes]]:
        return list(enumerate(self.world.feed, 1))[number : number + limit]

    async def draw(self, task: str) -> Mapping[str, Any]:
        records = self.world.batches.values()
        record = next(each for each in records if to_hex(self.world.task(each)) == task)
        return {
            "version": VERSION,
            "opened_block": OPENED,
            "seed": to_hex(self.world.draw(record)[0]),
            "attempt": 0,
            "members": [
                {"operator": to_hex(each.operator), "weight": str(each.weight)} for each in MEMBERS
            ],
        }

    async def prove(self, wanted: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        by_address: dict[bytes, tuple[str, list[tuple[str, bytes]]]] = {}
        for contract, what in wanted:
            rows = by_address.setdefault(CONTRACTS[contract], (contract, []))[1]
            rows.append((what, slot_of_what(contract, what)))
        state = self.world.state()
        accounts, _ = state.tries()
        head = self.world.blocks[-1]
        header = block_header(head.parent, accounts.root_hash, head.height, head.time)
        return state.proof(header, head.height, by_address)


def built(settled: int = len(days()), sealed: int | None = None) -> World:
    """Return a world with all days admitted, `sealed` of them in batches and `settled` settled."""
    world = World()
    world.register()
    for number, day in enumerate(days()):
        world.admit(day)
        if number < (len(days()) if sealed is None else sealed):
            record = world.seal()
            world.open_and_assign(record)
            if number < settled:
                world.settle(record)
        else:
            world.mine()
    return world


def observed(day: date) -> int:
    """Return the Unix seconds of a day's start."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def ids(record: BatchRecord) -> list[str]:
    """Return the message ids of a batch in order, as hex."""
    from_body = [raw for group in _groups(record) for raw in group.messages]
    return [to_hex(message_id(parse(raw), external_aad(NETWORK_ID, PROJECT))) for raw in from_body]


def _groups(record: BatchRecord) -> list[Group]:
    return [group for segment in decode_body(record.body, NETWORK_ID) for group in segment.groups]
