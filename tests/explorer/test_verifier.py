"""The page's verifier and `opendepin.verify`: two readers of one bundle, written apart, that
must agree.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from py_ecc import optimized_bn128

from opendepin.core import merkle
from opendepin.core.batch import decode_body
from opendepin.core.chunks import encode as encode_chunks
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.group import leaf, receipt_from_leaves
from opendepin.core.message import external_aad, message_id, parse
from opendepin.core.poseidon import poseidon2, poseidon4
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.verify import Anchor, check, read_bundle
from opendepin.verify.outcome import ProofCheck
from opendepin.verify.steps import STEPS, Outcome
from tests.explorer import history
from tests.explorer.verifier import ask, lay_out

bn128: Any = optimized_bn128
NAMES = [name for name, _ in STEPS]


@dataclass(frozen=True)
class Trail:
    """A settled message's bundle, the page's anchor, and what the page's verifier says of both."""

    bundle: dict[str, Any]
    anchor: dict[str, Any]
    folder: Path
    report: list[dict[str, Any]]
    altered: dict[str, Any]


@pytest.fixture(scope="module")
def trail(client: TestClient[Litestar], tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """The trail of a reading settled on the fifth day."""
    folder = tmp_path_factory.mktemp("verifier")
    lay_out(folder)
    device = "0x" + history.DEVICE_KEYS[history.days()[4][7].device_index].address.hex()
    rows = client.get(f"/api/v1/devices/{device}/readings").json()["items"]
    message = next(row["message_id"] for row in rows if row["batch"] == 5)
    bundle = client.get(f"/api/v1/messages/{message}/trail").json()["bundle"]
    anchor = client.get("/api/v1/network").json()
    found = ask(folder, {"bundle": bundle, "anchor": anchor, "alter": True})
    return Trail(bundle, anchor, folder, found["report"], found["altered"])


def outcomes(report: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in report}


def test_the_page_recomputes_every_step(trail: Trail) -> None:
    assert outcomes(trail.report) == dict.fromkeys(NAMES, "holds")


def test_the_page_says_that_it_opens_no_circuit(trail: Trail, client: TestClient[Litestar]) -> None:
    step = next(each for each in trail.report if each["name"] == "program")
    assert "its frame is not checked" in step["from"]
    page = client.get("/about").text
    assert "neither opens it nor computes the outputs anew" in page


@pytest.mark.parametrize("step", NAMES)
def test_one_altered_byte_turns_its_step_red_and_says_why(trail: Trail, step: str) -> None:
    change = trail.altered[step]
    assert change, f"{step} can't be altered"
    found = {each["name"]: each for each in change["report"]}
    assert found[step]["outcome"] == "fails"
    assert found[step]["why"]


async def test_both_readers_agree_on_the_true_trail(trail: Trail) -> None:
    report = await by_package(trail.bundle)
    assert {s.name: s.outcome.value for s in report.steps} == outcomes(trail.report)


@pytest.mark.parametrize("step", NAMES)
async def test_both_readers_agree_on_an_altered_trail(trail: Trail, step: str) -> None:
    proof_check = by_pairing if step == "proof" else by_nobody
    bundle = trail.altered[step]["bundle"]
    report = await by_package(bundle, trusted(trail.bundle), proof_check)
    found = next(each for each in report.steps if each.name == step)
    assert found.outcome is Outcome.FAILS, f"{found.outcome} {found.why}"


def test_a_foreign_anchor_is_refused(trail: Trail) -> None:
    other = {**trail.anchor, "network_id": "0x" + "11" * 32}
    found = outcomes(ask(trail.folder, {"bundle": trail.bundle, "anchor": other})["report"])
    assert found["message-id"] == found["header-hash"] == found["receipt-signature"] == "fails"


@pytest.mark.parametrize(
    ("field", "value", "step"),
    [
        ("gateways", ["0x" + "11" * 20], "receipt-signature"),
        ("sequencer", "0x" + "11" * 20, "sequencer"),
        ("attesters", ["0x" + "11" * 20], "attesters"),
        ("threshold", 4, "attesters"),
    ],
)
def test_signers_that_the_network_does_not_name_are_refused(
    trail: Trail, field: str, value: Any, step: str
) -> None:
    other = {**trail.anchor, field: value}
    assert (
        outcomes(ask(trail.folder, {"bundle": trail.bundle, "anchor": other})["report"])[step]
        == "fails"
    )


def test_an_attester_counts_once(trail: Trail) -> None:
    bundle = copy.deepcopy(trail.bundle)
    bundle["batch"]["attestations"] = bundle["batch"]["attestations"][:1] * 3
    found = ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})["report"]
    assert outcomes(found)["attesters"] == "fails"


def test_another_message_of_the_segment_does_not_pass_for_this_one(trail: Trail) -> None:
    bundle = copy.deepcopy(trail.bundle)
    bundle["receipt"]["position"] += 1
    found = outcomes(ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})["report"])
    assert found["receipt-path"] == found["segment-root"] == "fails"


async def refused(trail: Trail, bundle: dict[str, Any], **other: Any) -> tuple[set[str], set[str]]:
    """Return the steps that fail in the page and in the package, the pairing left out."""
    page = outcomes(ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})["report"])
    report = await by_package(bundle, trusted(trail.bundle), by_nobody, **other)
    assert not {name for name, outcome in page.items() if outcome == "absent"}
    found = {name for name, outcome in page.items() if outcome == "fails"}
    return found, {step.name for step in report.failed} - {"proof"}


@pytest.mark.parametrize("code", [{"k": 8, "n": 16}, {"k": 2, "n": 4}])
async def test_the_body_is_coded_as_the_network_codes(trail: Trail, code: dict[str, int]) -> None:
    bundle = copy.deepcopy(trail.bundle)
    batch = bundle["batch"]
    batch["code"] = code
    batch["header"]["data_root"] = to_hex(
        encode_chunks(from_hex(batch["body"]), code["k"]).data_root
    )
    page, package = await refused(trail, bundle)
    assert page == package >= {"data-root"}


@pytest.mark.parametrize("code", [{"k": 4, "n": 9}, {"k": 5, "n": 8}])
async def test_the_code_that_a_bundle_names_is_the_network_s(
    trail: Trail, code: dict[str, int]
) -> None:
    bundle = copy.deepcopy(trail.bundle)
    bundle["batch"]["code"] = code
    assert await refused(trail, bundle) == ({"data-root"}, {"data-root"})


async def test_a_second_header_signed_for_one_position_is_refused(trail: Trail) -> None:
    bundle = copy.deepcopy(trail.bundle)
    old, aad = bundle["receipt"], external_aad(history.NETWORK_ID, history.PROJECT)
    (segment,) = decode_body(from_hex(bundle["batch"]["body"]), history.NETWORK_ID)
    group = next(each for each in segment.groups if each.header.first == old["first"])
    block, ids = old["identity_block"] - 1, [message_id(parse(raw), aad) for raw in group.messages]
    leaves = [leaf(old["first"] + i, block, each) for i, each in enumerate(ids)]
    header = replace(group.header, identity_block=block, root=merkle.root(leaves))
    signature = history.GATEWAY.sign_recoverable(header.digest())
    index = old["position"] - old["first"]
    receipt = receipt_from_leaves(header, signature, leaves, index, ids[index])
    bundle["receipt"] = receipt.to_json()
    assert await refused(trail, bundle) == ({"segment-root"}, {"segment-root"})


async def test_a_later_inclusion_promised_twice_is_refused(trail: Trail) -> None:
    bundle = copy.deepcopy(trail.bundle)
    (segment,) = decode_body(from_hex(bundle["batch"]["body"]), history.NETWORK_ID)
    first = bundle["receipt"]["first"]
    group = next(each for each in segment.groups if each.header.first == first)
    header = replace(group.header, include_by_block=group.header.include_by_block + 1)
    bundle["receipt"]["include_by_block"] = header.include_by_block
    bundle["receipt"]["signature"] = to_hex(history.GATEWAY.sign_recoverable(header.digest()))
    assert await refused(trail, bundle) == ({"segment-root"}, {"segment-root"})


async def test_both_readers_show_a_late_batch_as_late(trail: Trail, world: history.World) -> None:
    due = trail.bundle["receipt"]["include_by_block"]
    found, verdict = await taken_at(trail, world, due)
    assert set(found.values()) == {"holds"}
    assert verdict["text"] == f"All {len(NAMES)} steps hold"
    found, verdict = await taken_at(trail, world, due + 2)
    assert {name for name, outcome in found.items() if outcome == "late"} == {"include-by"}
    assert set(found.values()) == {"holds", "late"}
    assert verdict["kind"] == "holds"
    assert "2 blocks late" in verdict["small"]


async def taken_at(
    trail: Trail, world: history.World, block: int
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what both readers say of the trail, had the inbox taken the batch in this block."""
    bundle = copy.deepcopy(trail.bundle)
    wanted = [(p["contract"], s["what"]) for p in bundle["l1"]["proofs"] for s in p["storage"]]
    bundle["batch"]["inbox_block"] = block
    bundle["l1"] = await world.with_inbox_block(bundle["batch"]["header"]["number"], block, wanted)
    said = ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})
    report = await by_package(bundle, proof_check=by_everybody)
    found = outcomes(said["report"])
    assert {step.name: step.outcome.value for step in report.steps} == found
    return found, said["verdict"]


@pytest.mark.parametrize(
    ("contract", "steps"),
    [
        ("Devices", {"key-history", "l1-storage"}),
        ("BatchInbox", {"include-by", "l1-storage"}),
        ("Settlement", {"drawn", "l1-storage"}),
        ("Operators", {"drawn"}),
    ],
)
async def test_other_code_at_a_contract_s_address_is_refused(
    trail: Trail, contract: str, steps: set[str]
) -> None:
    code = {**history.network_sheet().code_hashes, contract: bytes(32)}
    shown = {name: to_hex(each) for name, each in code.items()}
    other = replace(trail, anchor={**trail.anchor, "code_hashes": shown})
    assert await refused(other, trail.bundle, code_hashes=code) == (steps, steps)


@pytest.mark.parametrize(
    ("field", "value"), [("code_hash", "0x" + "11" * 32), ("nonce", 2), ("balance", "1")]
)
async def test_what_is_told_of_an_account_is_what_is_proven(
    trail: Trail, field: str, value: Any
) -> None:
    bundle = copy.deepcopy(trail.bundle)
    for proof in bundle["l1"]["proofs"]:
        if proof["contract"] == "Settlement":
            proof[field] = value
    steps = {"drawn", "l1-storage"}
    assert await refused(trail, bundle) == (steps, steps)


ADDRESS = "0x" + "11" * 20


@pytest.mark.parametrize(
    ("field", "value", "steps"),
    [
        ("network_id", "0x" + "11" * 32, {"message-id", "header-hash", "l1-storage"}),
        ("chain_id", 1, {"message-id", "header-hash", "l1-storage"}),
        ("genesis_hash", "0x" + "11" * 32, {"l1-block"}),
        ("contracts", {"Programs": ADDRESS}, {"l1-storage"}),
        ("contracts", {"Unknown": ADDRESS}, {"l1-storage"}),
        ("sequencer", ADDRESS, {"sequencer"}),
        ("attesters", [ADDRESS], {"attesters"}),
        ("threshold", 1, {"attesters"}),
        ("gateways", [ADDRESS], {"receipt-signature", "body"}),
    ],
)
async def test_a_network_told_otherwise_than_the_anchor_is_refused(
    trail: Trail, field: str, value: Any, steps: set[str]
) -> None:
    bundle = copy.deepcopy(trail.bundle)
    bundle["network"][field] = value
    assert await refused(trail, bundle) == (steps, steps)


async def test_the_verdict_is_green_only_when_all_of_the_trail_holds(
    trail: Trail, client: TestClient[Litestar]
) -> None:
    device = "0x" + history.DEVICE_KEYS[history.days()[-1][0].device_index].address.hex()
    newest = client.get(f"/api/v1/devices/{device}/readings?limit=1").json()["items"][0]
    admitted = client.get(f"/api/v1/messages/{newest['message_id']}/trail").json()["bundle"]
    task = client.get(f"/api/v1/tasks/{trail.bundle['task']['task_id']}/trail").json()["bundle"]
    unproven = {**trail.bundle, "l1": None}
    bundles = [trail.bundle, task, admitted, unproven, trail.altered["outputs"]["bundle"]]
    verdicts = [
        ask(trail.folder, {"bundle": b, "anchor": trail.anchor})["verdict"] for b in bundles
    ]
    assert [v["kind"] for v in verdicts] == ["holds", "holds", "partial", "partial", "fails"]
    assert all(v["text"].startswith("What there is of the trail holds") for v in verdicts[2:4])
    for bundle, said in zip(bundles, verdicts, strict=True):
        block = trusted(bundle if bundle["l1"] else trail.bundle)
        report = await by_package(bundle, block, by_everybody)
        kind = "fails" if not report.ok else "holds" if report.settled else "partial"
        assert said["kind"] == kind


def test_a_trail_without_its_subject_is_not_amber(trail: Trail) -> None:
    bundle = {**trail.bundle, "message": None, "receipt": None}
    said = ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})["verdict"]
    assert said["kind"] == "fails"


def test_a_stage_that_was_not_reached_is_absent_not_wrong(
    trail: Trail, client: TestClient[Litestar]
) -> None:
    device = "0x" + history.DEVICE_KEYS[history.days()[-1][0].device_index].address.hex()
    newest = client.get(f"/api/v1/devices/{device}/readings?limit=1").json()["items"][0]
    assert newest["stage"] == "admitted"
    bundle = client.get(f"/api/v1/messages/{newest['message_id']}/trail").json()["bundle"]
    found = outcomes(ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})["report"])
    held = {"message-form", "message-id", "key-history", "device-signature"}
    held |= {"receipt-signature", "receipt-path", "l1-block", "l1-storage"}
    assert {name for name, outcome in found.items() if outcome == "holds"} == held
    assert {outcome for name, outcome in found.items() if name not in held} == {"absent"}


def test_a_task_has_a_trail_of_its_own(trail: Trail, client: TestClient[Litestar]) -> None:
    task = trail.bundle["task"]["task_id"]
    bundle = client.get(f"/api/v1/tasks/{task}/trail").json()["bundle"]
    found = outcomes(ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})["report"])
    assert set(found.values()) == {"holds", "absent"}
    assert found["proof"] == found["l1-storage"] == found["body"] == "holds"
    assert found["message-form"] == "absent"


def test_poseidon_is_the_core_s(trail: Trail) -> None:
    inputs = [(0, 0), (1, 2), (2**253, 7), (3, 4, 5, 6), (0, 0, 0, 0)]
    found = ask(trail.folder, {"poseidon": [[str(i) for i in each] for each in inputs]})
    wanted = [str(poseidon2(*i) if len(i) == 2 else poseidon4(*i)) for i in inputs]
    assert found["poseidon"] == wanted


def trusted(bundle: dict[str, Any]) -> bytes:
    return bytes.fromhex(bundle["l1"]["block"]["hash"][2:])


async def by_everybody(vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
    """Take the pairing as holding where only the verdict over the steps is looked at."""
    return True


async def by_nobody(vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
    """Leave the pairing out where another step is looked at: it takes ten seconds."""
    return False


async def by_package(
    bundle: dict[str, Any],
    block: bytes | None = None,
    proof_check: ProofCheck | None = None,
    **other: Any,
) -> Any:
    """Check a bundle by `opendepin.verify` under the test network's anchor, changed by `other`."""
    sheet = history.network_sheet()
    slots = {name: {"slot": slot} for name, slot in history.LAYOUT.items()}
    anchor = Anchor(
        network_id=sheet.network_id,
        chain_id=sheet.chain_id,
        genesis_hash=sheet.genesis_hash,
        contracts=sheet.contracts,
        code_hashes=sheet.code_hashes,
        layouts={
            "Devices": {"history": slots["Devices.history"]},
            "BatchInbox": {
                "header_hash": slots["BatchInbox.header_hash"],
                "inbox_block": slots["BatchInbox.inbox_block"],
                "segment_hash": slots["BatchInbox.segment_hash"],
            },
            "Settlement": {"task_records": {"tasks": slots["Settlement.tasks"]}},
            "Operators": {"snapshots": slots["Operators.snapshots"]},
        },
        sequencer=sheet.sequencer,
        attesters=frozenset(sheet.attesters),
        threshold=sheet.threshold,
        gateways=frozenset(sheet.gateways),
        data_chunks=sheet.data_chunks,
        block_hash=block or trusted(bundle),
    )
    read, anchor = read_bundle(json.dumps(bundle).encode()), replace(anchor, **other)
    text = {history.CIRCUIT_HASH: history.PROGRAM_TEXT}
    return await check(read, anchor, proof_check or by_pairing, text.get)


async def by_pairing(vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
    """Check the Groth16 equation by an independent pairing library."""
    words = [int.from_bytes(proof[at : at + 32], "big") for at in range(0, 256, 32)]

    def g1(x: int, y: int) -> Any:
        return (bn128.FQ(x), bn128.FQ(y), bn128.FQ(1))

    def g2(x1: int, x0: int, y1: int, y0: int) -> Any:
        return (bn128.FQ2([x0, x1]), bn128.FQ2([y0, y1]), bn128.FQ2([1, 0]))

    a, b, c = g1(*words[:2]), g2(*words[2:6]), g1(*words[6:])
    if not (
        bn128.is_on_curve(a, bn128.b)
        and bn128.is_on_curve(b, bn128.b2)
        and bn128.is_on_curve(c, bn128.b)
    ):
        return False
    x = g1(*vk.inputs[0])
    for point, value in zip(vk.inputs[1:], public, strict=True):
        x = bn128.add(x, bn128.multiply(g1(*point), value))
    beta, gamma, delta = (g2(*words) for words in vk.g2)
    left = bn128.pairing(b, bn128.neg(a)) * bn128.pairing(beta, g1(*vk.alpha))
    return left * bn128.pairing(gamma, x) * bn128.pairing(delta, c) == bn128.pairing(
        b, g1(1, 2)
    ) * bn128.pairing(b, bn128.neg(g1(1, 2)))
