"""A small network whose every byte is true: messages, groups, a batch of two segments, a Groth16
proof, L1 state.

Project 2 runs the demo's rule at eight readings a proof; project 1 computes nothing. Three devices
speak in project 2: one rotated its key before, one is suspended after. What the services would keep
is kept here in plain fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from opendepin.core import merkle, message, statement
from opendepin.core.batch import BatchHeader, Segment, SegmentBody, encode_body, segments_root
from opendepin.core.batch_form import header_to_json, segment_to_json
from opendepin.core.chunks import encode as encode_chunks
from opendepin.core.draw import Member, passed_over, snapshot_address
from opendepin.core.encodings import keccak256, to_hex
from opendepin.core.group import Group, GroupHeader, leaf, receipt_from_leaves
from opendepin.core.identity import KeyChange, Status, accumulate
from opendepin.core.keys import Key
from opendepin.core.manifest import Manifest
from opendepin.core.readings import CheckedSegment, ProjectRules, check_segment
from opendepin.core.schema import row_of
from opendepin.demo.clean_air import CLEAN_AIR, FIGURES
from opendepin.demo.stations import LANDS, STATIONS
from opendepin.proofs.zk.assembly import Assembled, assemble
from opendepin.proofs.zk.integers import outputs as outputs_of
from opendepin.proofs.zk.keys import Keys
from opendepin.proofs.zk.prover import Prover
from opendepin.verify import draw, layer1
from tests.verify.chain_state import ChainState, code_hash

CHAIN_ID = 770_091
OTHER, PROJECT = 1, 2
CAPACITY, DATA_CHUNKS = 8, 4
NUMBER, INBOX_BLOCK, SETTLED_BLOCK = 2, 12, 21
SCHEMA = CLEAN_AIR.schema
PAY_OFFSET = len(LANDS) * len(FIGURES)
COMPUTE = "opendepin.demo.clean_air:CLEAN_AIR"
MANIFEST = Manifest("clean-air", "1", SCHEMA, COMPUTE, CAPACITY, PAY_OFFSET, len(STATIONS))
CONTRACTS = {
    name: keccak256(f"contract {name}".encode())[12:]
    for name in ("Devices", "BatchInbox", "Settlement", "Programs", "Operators")
}
NETWORK_ID = statement.network_id(CHAIN_ID, CONTRACTS["Devices"])
GENESIS_HASH = keccak256(b"genesis block")
LABEL = "embedded development L1"


def key(name: str) -> Key:
    """Return the key of a role."""
    return Key.from_seed(f"verify test {name}".encode())


GATEWAYS = [key("gateway 0"), key("gateway 1")]
SEQUENCER, OPERATOR, STRANGER = key("sequencer"), key("operator"), key("stranger")
ATTESTERS = sorted((key(f"attester {i}") for i in range(4)), key=lambda k: k.address)
MEMBERS = [
    Member(each.address, weight * 10**9)
    for each, weight in ((key("operator 1"), 40), (OPERATOR, 55), (key("operator 2"), 5))
]
"""The operators' snapshot that the task was drawn from."""

VERSION, OPENED_BLOCK = 3, 13
FIRST, ROTATED, SUSPENDED, FOREIGN = (key(f"device {i}") for i in range(4))
NEW_KEY = key("device 1, second key")


def history(device: Key, index: int, *changes: tuple[Status, Key, int]) -> list[KeyChange]:
    """Return a device's history: status, key and block of each change."""
    project = OTHER if device is FOREIGN else PROJECT
    return [
        KeyChange(device.address, status, project, index, by.public, block)
        for status, by, block in changes
    ]


HISTORIES = {
    FIRST.address: history(FIRST, 0, (Status.ACTIVE, FIRST, 3)),
    ROTATED.address: history(ROTATED, 1, (Status.ACTIVE, ROTATED, 3), (Status.ACTIVE, NEW_KEY, 6)),
    SUSPENDED.address: history(
        SUSPENDED, 2, (Status.ACTIVE, SUSPENDED, 4), (Status.SUSPENDED, SUSPENDED, 11)
    ),
    FOREIGN.address: history(FOREIGN, 0, (Status.ACTIVE, FOREIGN, 3)),
}


def signed(project: int, device: Key, by: Key, seq: int, value: int) -> bytes:
    """Return a message of a device."""
    data = {1: 1_039_132_800 + 86_400 * seq, 2: value}
    aad = message.external_aad(NETWORK_ID, project)
    return message.build(by, device.address, seq, 1_790_000_000_000 + seq, data, aad)


def ids_of(project: int, raws: Sequence[bytes]) -> list[bytes]:
    """Return the ids of messages."""
    aad = message.external_aad(NETWORK_ID, project)
    return [message.message_id(message.parse(raw), aad) for raw in raws]


def group(project: int, gateway: Key, first: int, identity_block: int, *raws: bytes) -> Group:
    """Return a signed commit group."""
    ids = ids_of(project, raws)
    leaves = [leaf(first + i, identity_block, each) for i, each in enumerate(ids)]
    place = first, len(raws), identity_block, identity_block + 60
    header = GroupHeader(NETWORK_ID, project, gateway.address, *place, merkle.root(leaves))
    return Group(header, gateway.sign_recoverable(header.digest()), raws)


OTHER_BODY = SegmentBody(
    OTHER, (group(OTHER, GATEWAYS[0], 1, 8, signed(OTHER, FOREIGN, FOREIGN, 1, 5)),)
)
BODY = SegmentBody(
    PROJECT,
    (
        group(
            PROJECT,
            GATEWAYS[0],
            4,
            8,
            signed(PROJECT, FIRST, FIRST, 7, 61_000),
            signed(PROJECT, ROTATED, NEW_KEY, 3, 12_500),
            signed(PROJECT, SUSPENDED, SUSPENDED, 1, 0),
        ),
        group(PROJECT, GATEWAYS[0], 7, 9, signed(PROJECT, FIRST, FIRST, 8, 50_001)),
        group(PROJECT, GATEWAYS[1], 1, 9, signed(PROJECT, ROTATED, NEW_KEY, 4, 50_000)),
    ),
)


def checked(body: SegmentBody) -> CheckedSegment:
    """Check a segment by the ground's own page."""
    gateways = {each.address for each in GATEWAYS}
    rules = ProjectRules.of_manifest(MANIFEST)
    return check_segment(body, gateways, rules, lambda device: HISTORIES.get(device, ()))


@dataclass(frozen=True)
class Settled:
    """The segment's result."""

    keys: Keys
    outputs: tuple[int, ...]
    statement: int
    proof: bytes
    task_id: bytes
    program_id: bytes
    pay_root: bytes
    seed: bytes
    """By which the operator is the first that comes in question."""


def seed_of(task: bytes, turn: int = 0) -> bytes:
    """Return a seed by which the operator's first turn comes after so many candidates."""
    seeds = (keccak256(b"block %d" % number) for number in count())
    found = (
        seed for seed in seeds if passed_over(task, seed, 0, MEMBERS, OPERATOR.address) == turn
    )
    return next(found)


class Network:
    """The network's records, and the bundles that follow from them."""

    def __init__(
        self, layouts: Mapping[str, Mapping[str, Any]], assembled: Assembled, keys: Keys
    ) -> None:
        self.layouts, self.assembled, self.keys = layouts, assembled, keys
        self.readings = checked(BODY).readings
        self.segments = (
            checked(OTHER_BODY).segment(0),
            checked(BODY).segment(CLEAN_AIR.resized(CAPACITY).tree.root(self.readings)),
        )
        self.raw_body = encode_body([OTHER_BODY, BODY])
        data_root = encode_chunks(self.raw_body, DATA_CHUNKS).data_root
        roots = keccak256(b"header 1"), segments_root(self.segments), data_root
        self.header = BatchHeader(NETWORK_ID, NUMBER, *roots, len(self.raw_body), 1_790_000_100)
        self.state = ChainState(CONTRACTS)
        self.settled: Settled | None = None
        self._made: dict[tuple[str, str, int], str] = {}

    @property
    def segment(self) -> Segment:
        """The segment of the project with a program."""
        return self.segments[1]

    async def settle(self, prover: Prover) -> None:
        """Prove the segment's outputs and write all that L1 keeps."""
        program = statement.program_id(MANIFEST.hash(), self.keys.circuit, self.keys.vk.hash)
        place = CONTRACTS["BatchInbox"], NUMBER, 1, PROJECT
        task = statement.task_id(NETWORK_ID, *place, program)
        outputs = outputs_of(self.assembled.rule, self.readings)
        about = statement.Statement(
            NETWORK_ID,
            CONTRACTS["Settlement"],
            task,
            program,
            self.segment.root,
            self.segment.field_root,
            self.segment.count,
            statement.outputs_hash(outputs),
            OPERATOR.address,
        )
        proof = await prover.prove(self.assembled.program, about.number(), self.readings)
        units = outputs[PAY_OFFSET : PAY_OFFSET + len(STATIONS)]
        leaves = [merkle.pay_leaf(task, i, each) for i, each in enumerate(units)]
        pay_root = merkle.root(leaves, merkle.pay_node)
        self.settled = Settled(
            *(self.keys, outputs, about.number(), proof.raw, task, program, pay_root),
            seed_of(task),
        )
        self._keep(self.settled)

    def _keep(self, settled: Settled) -> None:
        state, layouts = self.state, self.layouts
        for device, changes in HISTORIES.items():
            slot = layer1.history_slot(layouts["Devices"], device)
            state.keep("Devices", slot, accumulate(changes))
        inbox = layouts["BatchInbox"]
        state.keep("BatchInbox", layer1.header_hash_slot(inbox, NUMBER), self.header.hash())
        taken = INBOX_BLOCK.to_bytes(32, "big")
        state.keep("BatchInbox", layer1.inbox_block_slot(inbox, NUMBER), taken)
        for index, segment in enumerate(self.segments):
            slot = layer1.segment_hash_slot(inbox, NUMBER, index)
            state.keep("BatchInbox", slot, segment.hash())
        duty = int.from_bytes(OPERATOR.address, "big") | 1_790_000_999 << 160
        duty |= SETTLED_BLOCK << 200 | 3 << 248 | 1 << 251
        origin = PROJECT | NUMBER << 64 | self.segment.count << 128 | 1 << 240
        origin |= VERSION << 160 | OPENED_BLOCK << 200
        snapshot = snapshot_address(CONTRACTS["Operators"], VERSION, MEMBERS).rjust(32, b"\0")
        state.keep("Operators", draw.snapshot_slot(layouts["Operators"], VERSION), snapshot)
        values = {
            "origin": origin.to_bytes(32, "big"),
            "seed": settled.seed,
            "producer": duty.to_bytes(32, "big"),
            "outputs_hash": statement.outputs_hash(settled.outputs),
            "pay_root": settled.pay_root,
        }
        for member, value in values.items():
            slot = layer1.task_slot(layouts["Settlement"], settled.task_id, member)
            state.keep("Settlement", slot, value)

    def genesis(self) -> dict[str, Any]:
        """Return the content of `genesis.json`."""
        return {
            "form": "opendepin/genesis/1",
            "network_id": to_hex(NETWORK_ID),
            "chain_id": CHAIN_ID,
            "genesis_hash": to_hex(GENESIS_HASH),
            "contracts": {
                name: {"address": to_hex(address), "code_hash": to_hex(code_hash(name))}
                for name, address in CONTRACTS.items()
            },
            "sequencer": to_hex(SEQUENCER.address),
            "attesters": [to_hex(each.address) for each in ATTESTERS],
            "threshold": 3,
            "gateways": [to_hex(each.address) for each in GATEWAYS],
            "data_chunks": DATA_CHUNKS,
            "label": LABEL,
            "parameters": {},
        }

    def bundle(self, kind: str = "message", stage: str = "settled", at: int = 1) -> dict[str, Any]:
        """Return a new bundle of a message of the segment, of its device, or of the task.

        Args:
            kind: `message`, `device` or `task`.
            stage: how far the trail has come: `admitted`, `batched` or `settled`.
            at: place in the segment; places 0..2 are in its first group, then one a group.
        """
        wanted = kind, stage, at
        if wanted not in self._made:
            self._made[wanted] = json.dumps(self._bundle(*wanted))
        return json.loads(self._made[wanted])

    def _bundle(self, kind: str, stage: str, at: int) -> dict[str, Any]:
        number, index = (0, at) if at < 3 else (at - 2, 0)
        of_group = BODY.groups[number]
        ids = ids_of(PROJECT, of_group.messages)
        settled = self._settled()
        subject = {
            "message": to_hex(ids[index]),
            "device": to_hex(message.parse(of_group.messages[index]).device),
            "task": to_hex(settled.task_id),
        }
        alone = [bytes.fromhex(subject["device"][2:])]
        speakers = alone if stage == "admitted" else self._speakers()
        found: dict[str, Any] = {
            "form": "opendepin/bundle/1",
            "subject": {"kind": kind, "id": subject[kind]},
            "labels": ["recorded readings"],
            "network": self._network(),
            "message": None,
            "receipt": None,
            "histories": [_history(device) for device in speakers],
            "batch": self._batch() if stage != "admitted" else None,
            "task": self._task(settled) if stage == "settled" else None,
            "l1": self.state.l1(self._wanted(speakers, stage)),
        }
        if kind != "task":
            found["message"] = {
                "raw": to_hex(of_group.messages[index]),
                "message_id": to_hex(ids[index]),
                "project": PROJECT,
                "device": subject["device"],
            }
            header = of_group.header
            leaves = [leaf(header.first + i, header.identity_block, x) for i, x in enumerate(ids)]
            cut = receipt_from_leaves(header, of_group.signature, leaves, index, ids[index])
            found["receipt"] = cut.to_json()
        return found

    def _settled(self) -> Settled:
        assert self.settled is not None
        return self.settled

    @staticmethod
    def _speakers() -> list[bytes]:
        raws = (raw for each in BODY.groups for raw in each.messages)
        return sorted({message.parse(raw).device for raw in raws})

    def _network(self) -> dict[str, Any]:
        genesis = self.genesis()
        names = ("network_id", "chain_id", "genesis_hash", "sequencer", "attesters", "threshold")
        contracts = {name: entry["address"] for name, entry in genesis["contracts"].items()}
        rest = {"gateways": genesis["gateways"], "contracts": contracts}
        return {name: genesis[name] for name in names} | rest

    def _batch(self) -> dict[str, Any]:
        digest = self.header.attest_digest()
        attestations = [
            {"attester": to_hex(each.address), "signature": to_hex(each.sign_recoverable(digest))}
            for each in ATTESTERS[:3]
        ]
        return {
            "header": header_to_json(self.header),
            "hash": to_hex(self.header.hash()),
            "sequencer_signature": to_hex(
                SEQUENCER.sign_recoverable(self.header.sequence_digest())
            ),
            "attestations": attestations,
            "inbox_block": INBOX_BLOCK,
            "code": {"k": DATA_CHUNKS, "n": 2 * DATA_CHUNKS},
            "segments": [segment_to_json(each) for each in self.segments],
            "segment_index": 1,
            "body": to_hex(self.raw_body),
        }

    def _task(self, settled: Settled) -> dict[str, Any]:
        digest = to_hex(statement.outputs_hash(settled.outputs))
        evaluation = statement.evaluation(settled.outputs, settled.statement)
        return {
            "task_id": to_hex(settled.task_id),
            "project": PROJECT,
            "batch": NUMBER,
            "segment_index": 1,
            "kind": "zk",
            "manifest": _manifest(),
            "manifest_hash": to_hex(MANIFEST.hash()),
            "circuit_hash": to_hex(settled.keys.circuit),
            "vk_hash": to_hex(settled.keys.vk.hash),
            "program_id": to_hex(settled.program_id),
            "producer": to_hex(OPERATOR.address),
            "outputs": [str(each) for each in settled.outputs],
            "outputs_hash": digest,
            "statement": str(settled.statement),
            "evaluation": str(evaluation),
            "proof": to_hex(settled.proof),
            "verification_key": _verification_key(settled.keys),
            "result": {
                "outputs_hash": digest,
                "pay_root": to_hex(settled.pay_root),
                "producer": to_hex(OPERATOR.address),
                "settled_block": SETTLED_BLOCK,
                "callback_ok": True,
            },
            "draw": {
                "version": VERSION,
                "opened_block": OPENED_BLOCK,
                "seed": to_hex(settled.seed),
                "attempt": 0,
                "members": [
                    {"operator": to_hex(each.operator), "weight": str(each.weight)}
                    for each in MEMBERS
                ],
            },
            "transaction": to_hex(keccak256(b"transaction")),
            "gas_used": 412_345,
        }

    def _wanted(self, devices: Sequence[bytes], stage: str) -> dict[str, list[tuple[str, int]]]:
        layouts, task = self.layouts, self._settled().task_id
        wanted = {
            "Devices": [
                (f"history({to_hex(each)})", layer1.history_slot(layouts["Devices"], each))
                for each in devices
            ]
        }
        if stage != "admitted":
            inbox = layouts["BatchInbox"]
            wanted["BatchInbox"] = [
                (f"header_hash({NUMBER})", layer1.header_hash_slot(inbox, NUMBER)),
                (f"inbox_block({NUMBER})", layer1.inbox_block_slot(inbox, NUMBER)),
                (f"segment_hash({NUMBER},1)", layer1.segment_hash_slot(inbox, NUMBER, 1)),
            ]
        if stage == "settled":
            wanted["Settlement"] = [
                (
                    f"result({to_hex(task)}).{member}",
                    layer1.task_slot(layouts["Settlement"], task, member),
                )
                for member in ("outputs_hash", "pay_root", "producer", "origin", "seed")
            ]
            slot = draw.snapshot_slot(layouts["Operators"], VERSION)
            wanted["Operators"] = [(f"snapshots({VERSION})", slot)]
        return wanted


def circuit() -> Assembled:
    """Return the project's circuit."""
    return assemble(CLEAN_AIR.resized(CAPACITY))


def _history(device: bytes) -> dict[str, Any]:
    changes = HISTORIES[device]
    return {
        "device": to_hex(device),
        "accumulator": to_hex(accumulate(changes)),
        "changes": [
            {
                "status": int(each.status),
                "project": each.project,
                "index": each.index,
                "public": to_hex(each.public),
                "from_block": each.from_block,
            }
            for each in changes
        ],
    }


def _manifest() -> dict[str, Any]:
    names = ("name", "version", "compute", "capacity", "pay_offset", "pay_count")
    schema = [list(row_of(field)) for field in MANIFEST.schema.fields]
    return {name: getattr(MANIFEST, name) for name in names} | {"schema": schema}


def _verification_key(keys: Keys) -> dict[str, Any]:
    def two(point: tuple[int, ...]) -> list[list[str]]:
        x1, x0, y1, y0 = (str(word) for word in point)
        return [[x0, x1], [y0, y1]]

    beta, gamma, delta = keys.vk.g2
    return {
        "alpha": [str(word) for word in keys.vk.alpha],
        "beta": two(beta),
        "gamma": two(gamma),
        "delta": two(delta),
        "ic": [[str(word) for word in point] for point in keys.vk.inputs],
        "development": keys.development,
    }
