"""Whoever cheats with good keys of his own is still found out: forged trails that are consistent in
themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from opendepin.core import statement
from opendepin.core.batch import BatchHeader, encode_body, segments_root
from opendepin.core.batch_form import header_to_json, segment_to_json
from opendepin.core.chunks import encode as encode_chunks
from opendepin.core.encodings import keccak256, to_hex
from opendepin.core.errors import Broken, DepinError
from opendepin.core.group import GroupHeader
from opendepin.core.group import header_to_json as group_to_json
from opendepin.core.identity import KeyChange, Status, accumulate
from opendepin.core.keys import Key
from opendepin.proofs.errors import EngineFault, ProverMissing
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.verify import (
    Anchor,
    BundleRejected,
    Report,
    anchor_of_genesis,
    check,
    read_bundle,
    require_subject,
)
from opendepin.verify.errors import GenesisRejected, SubjectRejected
from tests.verify import network as small
from tests.verify.chain_state import ChainState
from tests.verify.conftest import Verifier

Bundle = dict[str, Any]
FIRST_GROUP = small.BODY.groups[0].header


def failed(report: Report) -> set[str]:
    return {step.name for step in report.failed}


def attested(bundle: Bundle, signers: list[Key], named: list[Key] | None = None) -> Bundle:
    """Return the bundle with these attestations."""
    header = small.BatchHeader(*_header_values(bundle))
    rows = [
        {
            "attester": to_hex(name.address),
            "signature": to_hex(by.sign_recoverable(header.attest_digest())),
        }
        for by, name in zip(signers, named or signers, strict=True)
    ]
    bundle["batch"]["attestations"] = sorted(rows, key=lambda row: row["attester"])
    return bundle


def _header_values(bundle: Bundle) -> list[Any]:
    header = bundle["batch"]["header"]
    return [v if isinstance(v, int) else bytes.fromhex(v[2:]) for v in header.values()]


def test_a_second_header_for_the_same_place_is_seen(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    """A gateway signs another promise for a position that stands in the batch."""
    bundle = network.bundle()
    other = replace(FIRST_GROUP, include_by_block=FIRST_GROUP.include_by_block + 100)
    signature = small.GATEWAYS[0].sign_recoverable(other.digest())
    bundle["receipt"] |= group_to_json(other, signature)
    assert failed(verifier.report(bundle, anchor)) == {"segment-root"}


def test_a_receipt_of_another_message_does_not_serve(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    bundle = network.bundle(at=1) | {"receipt": network.bundle(at=2)["receipt"]}
    assert failed(verifier.report(bundle, anchor)) == {"receipt-path", "segment-root"}


def test_a_message_that_only_the_gateway_has_is_in_no_segment(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    raw = small.signed(small.PROJECT, small.FIRST, small.FIRST, 9, 1)
    lone = small.group(small.PROJECT, small.GATEWAYS[0], 8, 9, raw)
    bundle = network.bundle()
    identifier = small.ids_of(small.PROJECT, [raw])[0]
    bundle["subject"]["id"] = to_hex(identifier)
    bundle["message"] = {
        "raw": to_hex(raw),
        "message_id": to_hex(identifier),
        "project": small.PROJECT,
        "device": to_hex(small.FIRST.address),
    }
    where = {"position": 8, "message_id": to_hex(identifier), "path": []}
    bundle["receipt"] = group_to_json(lone.header, lone.signature) | where
    assert failed(verifier.report(bundle, anchor)) == {"segment-root"}


def test_a_strangers_gateway_does_not_serve(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    bundle = network.bundle(stage="admitted")
    other = replace(FIRST_GROUP, gateway=small.STRANGER.address)
    signature = small.STRANGER.sign_recoverable(other.digest())
    bundle["receipt"] |= group_to_json(other, signature)
    assert failed(verifier.report(bundle, anchor)) == {"receipt-signature"}
    bundle["network"]["gateways"].append(to_hex(small.STRANGER.address))
    assert failed(verifier.report(bundle, anchor)) == {"receipt-signature", "body"}


def admitted(network: small.Network, device: Key, by: Key, block: int) -> Bundle:
    """Return the bundle of a new message that a gateway admitted at an identity block."""
    raw = small.signed(small.PROJECT, device, by, 50, 7)
    group = small.group(small.PROJECT, small.GATEWAYS[0], 30, block, raw)
    identifier = small.ids_of(small.PROJECT, [raw])[0]
    at = {small.FIRST: 0, small.ROTATED: 1, small.SUSPENDED: 2}[device]
    bundle = network.bundle(stage="admitted", at=at)
    bundle["subject"]["id"] = bundle["message"]["message_id"] = to_hex(identifier)
    bundle["message"]["raw"] = to_hex(raw)
    where = {"position": 30, "message_id": to_hex(identifier), "path": []}
    bundle["receipt"] = group_to_json(group.header, group.signature) | where
    return bundle


@pytest.mark.parametrize(
    ("device", "by", "block", "steps"),
    [
        (small.FIRST, small.FIRST, 9, set[str]()),
        (small.ROTATED, small.ROTATED, 5, set[str]()),
        (small.ROTATED, small.ROTATED, 6, {"device-signature"}),
        (small.ROTATED, small.NEW_KEY, 5, {"device-signature"}),
        (small.ROTATED, small.NEW_KEY, 6, set[str]()),
        (small.SUSPENDED, small.SUSPENDED, 10, set[str]()),
        (small.SUSPENDED, small.SUSPENDED, 11, {"device-signature"}),
        (small.FIRST, small.FIRST, 2, {"device-signature"}),
        (small.FIRST, small.FIRST, 40, set[str]()),
        (small.FIRST, small.FIRST, 41, {"key-history"}),
    ],
)
def test_a_signature_is_judged_by_the_state_at_the_identity_block(
    network: small.Network,
    anchor: Anchor,
    verifier: Verifier,
    device: Key,
    by: Key,
    block: int,
    steps: set[str],
) -> None:
    report = verifier.report(admitted(network, device, by, block), anchor)
    assert failed(report) == steps


def test_an_invented_history_is_not_the_registrys(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    """A stranger's key under a registered device's id, with an accumulator that fits."""
    bundle = admitted(network, small.FIRST, small.STRANGER, 9)
    device = small.FIRST.address
    change = KeyChange(device, Status.ACTIVE, small.PROJECT, 0, small.STRANGER.public, 3)
    row = bundle["histories"][0]
    row["changes"][0]["public"] = to_hex(small.STRANGER.public)
    row["accumulator"] = to_hex(accumulate([change]))
    assert failed(verifier.report(bundle, anchor)) == {"key-history", "l1-storage"}
    bundle["l1"]["proofs"][0]["storage"][0]["value"] = row["accumulator"]
    assert failed(verifier.report(bundle, anchor)) == {"key-history", "l1-storage"}


@pytest.mark.parametrize(
    ("signers", "named"),
    [
        (small.ATTESTERS[:2], None),
        ([*small.ATTESTERS[:2], small.STRANGER], None),
        ([*small.ATTESTERS[:2], small.STRANGER], small.ATTESTERS[:3]),
        ([*small.ATTESTERS[:2], small.ATTESTERS[1]], small.ATTESTERS[:3]),
        (
            [small.ATTESTERS[1], small.ATTESTERS[0], small.ATTESTERS[2]],
            small.ATTESTERS[:3],
        ),
    ],
)
def test_too_few_strange_or_exchanged_attesters(
    network: small.Network,
    anchor: Anchor,
    verifier: Verifier,
    signers: list[Key],
    named: list[Key] | None,
) -> None:
    report = verifier.report(attested(network.bundle(), signers, named), anchor)
    assert failed(report) == {"attesters"}


def test_three_other_attesters_serve_as_well(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    assert verifier.report(attested(network.bundle(), small.ATTESTERS[1:]), anchor).settled


def test_one_attester_twice_is_refused(network: small.Network) -> None:
    twice = [*small.ATTESTERS[:2], small.ATTESTERS[0]]
    with pytest.raises(BundleRejected, match="each once"):
        read_bundle(json.dumps(attested(network.bundle(), twice)).encode())


def test_a_whole_batch_of_the_services_alone_is_not_on_l1(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    """Sequencer and attesters sign a second batch of the same number; only L1 tells them apart."""
    bundle = network.bundle()
    body = encode_body([small.BODY])
    segment = network.segment
    root = encode_chunks(body, small.DATA_CHUNKS).data_root
    roots = network.header.parent, segments_root([segment]), root
    header = BatchHeader(small.NETWORK_ID, small.NUMBER, *roots, len(body), network.header.time)
    bundle["batch"] |= {
        "header": header_to_json(header),
        "hash": to_hex(header.hash()),
        "sequencer_signature": to_hex(small.SEQUENCER.sign_recoverable(header.sequence_digest())),
        "segments": [segment_to_json(segment)],
        "segment_index": 0,
        "body": to_hex(body),
    }
    bundle["task"] = None
    report = verifier.report(attested(bundle, small.ATTESTERS[:3]), anchor)
    assert failed(report) == {"l1-storage"}


Forge = Callable[[Bundle], None]


def consistent(bundle: Bundle, forge: Forge) -> Bundle:
    """Forge something of the task, then fit every id and hash that follows from it."""
    forge(bundle)
    task = read_bundle(json.dumps(bundle).encode()).task
    assert task is not None
    vk_hash = statement_key_hash(bundle)
    hashes = task.manifest.value().hash(), bytes(task.circuit_hash), vk_hash
    program = statement.program_id(*hashes)
    place = small.CONTRACTS["BatchInbox"], small.NUMBER, 1, small.PROJECT
    identifier = statement.task_id(small.NETWORK_ID, *place, program)
    segment = bundle["batch"]["segments"][1]
    number = statement.Statement(
        small.NETWORK_ID,
        small.CONTRACTS["Settlement"],
        identifier,
        program,
        bytes.fromhex(segment["root"][2:]),
        int(segment["field_root"]),
        segment["count"],
        statement.outputs_hash(task.outputs),
        bytes(task.producer),
    ).number()
    bundle["task"] |= {
        "manifest_hash": to_hex(hashes[0]),
        "vk_hash": to_hex(vk_hash),
        "program_id": to_hex(program),
        "task_id": to_hex(identifier),
        "outputs_hash": to_hex(statement.outputs_hash(task.outputs)),
        "statement": str(number),
        "evaluation": str(statement.evaluation(task.outputs, number)),
    }
    bundle["task"]["result"]["outputs_hash"] = bundle["task"]["outputs_hash"]
    bundle["task"]["result"]["producer"] = bundle["task"]["producer"]
    return bundle


def statement_key_hash(bundle: Bundle) -> bytes:
    """Return the hash of the bundle's verification key."""
    task = read_bundle(json.dumps(bundle).encode()).task
    assert task is not None
    return VerificationKey(task.verification_key.raw()).hash


def _another_circuit(bundle: Bundle) -> None:
    bundle["task"]["circuit_hash"] = to_hex(keccak256(b"a circuit that checks nothing"))


def _a_wider_field(bundle: Bundle) -> None:
    """The same words, read otherwise than the circuit does."""
    bundle["task"]["manifest"]["schema"][1][3] *= 8


def _another_capacity(bundle: Bundle) -> None:
    bundle["task"]["manifest"]["capacity"] *= 2


def _another_version(bundle: Bundle) -> None:
    bundle["task"]["manifest"]["version"] = "2"


def _another_producer(bundle: Bundle) -> None:
    bundle["task"]["producer"] = to_hex(small.STRANGER.address)


def _other_outputs(bundle: Bundle) -> None:
    bundle["task"]["outputs"][1] = str(int(bundle["task"]["outputs"][1]) + 1)


def _an_output_above_r(bundle: Bundle) -> None:
    value = int(bundle["task"]["outputs"][0]) + statement.FIELD_MODULUS
    bundle["task"]["outputs"][0] = str(value)


def _one_more_output(bundle: Bundle) -> None:
    bundle["task"]["outputs"].append("0")


def _another_key(bundle: Bundle) -> None:
    key = bundle["task"]["verification_key"]
    key["ic"][1], key["ic"][2] = key["ic"][2], key["ic"][1]


@pytest.mark.parametrize(
    ("forge", "steps"),
    [
        (_another_circuit, {"proof", "pay-root", "drawn", "l1-storage"}),
        (_a_wider_field, {"program", "proof", "pay-root", "drawn", "l1-storage"}),
        (_another_capacity, {"program", "proof", "pay-root", "drawn", "l1-storage"}),
        (_another_version, {"proof", "pay-root", "drawn", "l1-storage"}),
        (_another_producer, {"proof", "drawn", "l1-storage"}),
        (_other_outputs, {"outputs", "proof", "l1-storage"}),
        (_an_output_above_r, {"outputs", "proof", "l1-storage"}),
        (_one_more_output, {"outputs", "proof", "l1-storage"}),
        (_another_key, {"proof", "pay-root", "drawn", "l1-storage"}),
    ],
)
def test_a_consistent_forgery_of_the_task_is_seen(
    network: small.Network, anchor: Anchor, verifier: Verifier, forge: Forge, steps: set[str]
) -> None:
    report = verifier.report(consistent(network.bundle(), forge), anchor)
    assert failed(report) == steps


def test_nothing_forged_stays_whole(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    """The fitting itself changes nothing of a true bundle."""
    bundle = network.bundle()
    assert consistent(network.bundle(), lambda _: None) == bundle
    assert verifier.report(bundle, anchor).settled


def test_an_l1_of_ones_own_is_not_the_trusted_block(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    mine = ChainState(small.CONTRACTS, {k: dict(v) for k, v in network.state.storage.items()}, 41)
    wanted = {
        proof["contract"]: [(slot["what"], int(slot["key"], 16)) for slot in proof["storage"]]
        for proof in network.bundle()["l1"]["proofs"]
    }
    bundle = network.bundle() | {"l1": mine.l1(wanted)}
    report = verifier.report(bundle, anchor)
    assert failed(report) == {"key-history", "include-by", "drawn", "l1-block", "l1-storage"}
    assert verifier.report(bundle, replace(anchor, block_hash=mine.block_hash)).settled


ANCHORS: dict[str, tuple[Callable[[Anchor], Anchor], set[str]]] = {
    "sequencer": (lambda a: replace(a, sequencer=small.STRANGER.address), {"sequencer"}),
    "attesters": (
        lambda a: replace(a, attesters=a.attesters - {small.ATTESTERS[0].address}),
        {"attesters"},
    ),
    "threshold": (lambda a: replace(a, threshold=4), {"attesters"}),
    "gateways": (
        lambda a: replace(a, gateways=frozenset([small.GATEWAYS[1].address])),
        {"receipt-signature", "body", "field-root", "outputs"},
    ),
    "code": (lambda a: replace(a, data_chunks=8), {"data-root"}),
    "genesis": (lambda a: replace(a, genesis_hash=bytes(32)), {"l1-block"}),
    "block": (
        lambda a: replace(a, block_hash=keccak256(b"")),
        {"key-history", "include-by", "drawn", "l1-block", "l1-storage"},
    ),
    "code hash": (
        lambda a: replace(a, code_hashes={**a.code_hashes, "Settlement": bytes(32)}),
        {"drawn", "l1-storage"},
    ),
    "inbox": (
        lambda a: replace(a, contracts={**a.contracts, "BatchInbox": bytes(20)}),
        {"program", "statement", "proof", "pay-root", "include-by", "drawn", "l1-storage"},
    ),
    "settlement": (
        lambda a: replace(a, contracts={**a.contracts, "Settlement": bytes(20)}),
        {"statement", "proof", "drawn", "l1-storage"},
    ),
}


@pytest.mark.parametrize("what", ANCHORS)
def test_the_trail_of_another_network_does_not_hold(
    network: small.Network, anchor: Anchor, verifier: Verifier, what: str
) -> None:
    change, steps = ANCHORS[what]
    assert failed(verifier.report(network.bundle(), change(anchor))) == steps


def test_another_network_id_fails_nearly_everywhere(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    other = replace(anchor, network_id=keccak256(b"another network"))
    report = verifier.report(network.bundle(), other)
    due = {"message-id", "device-signature", "receipt-signature", "body", "header-hash"}
    assert due | {"program", "statement", "proof", "l1-storage"} <= failed(report)


@pytest.mark.parametrize(
    "change",
    [
        {"network_id": to_hex(bytes(32))},
        {"chain_id": small.CHAIN_ID + 1},
        {"chain_id": -1},
        {"chain_id": "many"},
        {"threshold": 0},
        {"threshold": 5},
        {"data_chunks": 0},
        {"data_chunks": 129},
        {"attesters": []},
        {"sequencer": "0x"},
        {"contracts": {}},
        {"gateways": None},
        {"genesis_hash": "0x00"},
    ],
)
def test_a_genesis_file_that_is_none_is_refused(
    network: small.Network, change: dict[str, Any]
) -> None:
    with pytest.raises(GenesisRejected):
        anchor_of_genesis(network.genesis() | change, network.layouts, None)


def test_the_bundle_of_something_else_is_refused(network: small.Network) -> None:
    bundle = read_bundle(json.dumps(network.bundle(at=1)).encode())
    require_subject(bundle, bytes(bundle.subject.id))
    require_subject(bundle, small.ROTATED.address)
    for other in (small.FIRST.address, bytes(32), b""):
        with pytest.raises(SubjectRejected):
            require_subject(bundle, other)
    task = read_bundle(json.dumps(network.bundle("task")).encode())
    require_subject(task, bytes(task.subject.id))
    with pytest.raises(SubjectRejected):
        require_subject(task, bytes(bundle.subject.id))


@pytest.mark.parametrize(
    "error", [EngineFault("away", code="engine-crash"), ProverMissing("no engine")]
)
async def test_a_broken_engine_says_nothing_of_the_bundle(
    network: small.Network, anchor: Anchor, error: DepinError
) -> None:
    async def fails(vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
        raise error

    with pytest.raises(type(error)):
        await check(read_bundle(json.dumps(network.bundle()).encode()), anchor, fails)
    assert isinstance(error, (EngineFault, Broken))


def test_a_key_off_the_curve_fails_and_breaks_nothing(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    bundle = network.bundle()
    bundle["task"]["verification_key"]["alpha"] = ["5", "7"]
    report = verifier.report(bundle, anchor)
    assert {"program", "proof"} <= failed(report)


def test_positions_that_overflow_are_refused(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    top = (1 << 64) - 1
    header = GroupHeader(
        small.NETWORK_ID, small.PROJECT, small.GATEWAYS[0].address, top, 3, 8, 68, bytes(32)
    )
    group = replace(small.BODY.groups[0], header=header)
    bundle = network.bundle()
    bundle["batch"]["body"] = to_hex(
        encode_body([small.OTHER_BODY, replace(small.BODY, groups=(group,))])
    )
    assert {"body", "segment-root"} <= failed(verifier.report(bundle, anchor))
