"""The settling operator is the drawn one by what L1 keeps; each field that the draw is bound to,
told otherwise, fails the step `drawn`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from opendepin.core.draw import Member, snapshot_address
from opendepin.core.encodings import keccak256, to_hex
from opendepin.verify import Anchor, BundleRejected, Outcome, draw, layer1
from opendepin.verify.steps import named
from tests.verify import network as small
from tests.verify.chain_state import ChainState
from tests.verify.conftest import Verifier
from tests.verify.test_attacks import failed

Bundle = dict[str, Any]


def drawn_so(
    network: small.Network,
    anchor: Anchor,
    *,
    seed: bytes | None = None,
    attempt: int = 0,
    members: Sequence[Member] = small.MEMBERS,
) -> tuple[Bundle, Anchor]:
    """Return the bundle and anchor of a network in which L1 keeps this draw of the task."""
    settled, bundle = network.settled, network.bundle()
    assert settled is not None
    seed = settled.seed if seed is None else seed
    storage = {name: dict(slots) for name, slots in network.state.storage.items()}
    address = snapshot_address(small.CONTRACTS["Operators"], small.VERSION, members)
    slot = draw.snapshot_slot(network.layouts["Operators"], small.VERSION)
    storage["Operators"][slot] = address.rjust(32, b"\0")
    layout = network.layouts["Settlement"]
    storage["Settlement"][layer1.task_slot(layout, settled.task_id, "seed")] = seed
    slot = layer1.task_slot(layout, settled.task_id, "producer")
    duty = int.from_bytes(storage["Settlement"][slot], "big") | attempt << 240
    storage["Settlement"][slot] = duty.to_bytes(32, "big")
    state = ChainState(small.CONTRACTS, storage)
    told = [{"operator": to_hex(each.operator), "weight": str(each.weight)} for each in members]
    bundle["task"]["draw"] |= {"seed": to_hex(seed), "attempt": attempt, "members": told}
    bundle["l1"] = state.l1(network._wanted(network._speakers(), "settled"))
    return bundle, replace(anchor, block_hash=state.block_hash)


def test_the_first_candidate_is_the_drawn_one(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle(), anchor)
    step = named(report.steps, "drawn")
    assert step.outcome is Outcome.HOLDS
    assert step.computed == "first candidate of 3 members"
    assert step.expected == to_hex(small.OPERATOR.address)
    assert report.settled


@pytest.mark.parametrize("turn", [1, 2])
def test_who_was_passed_over_is_said(
    network: small.Network, anchor: Anchor, verifier: Verifier, turn: int
) -> None:
    assert network.settled is not None
    seed = small.seed_of(network.settled.task_id, turn)
    report = verifier.report(*drawn_so(network, anchor, seed=seed))
    step = named(report.steps, "drawn")
    assert step.outcome is Outcome.HOLDS
    assert step.computed.startswith(f"candidate {turn + 1}; those before it were not free")
    assert report.settled


OTHERS = [small.MEMBERS[0], small.MEMBERS[2]]


def test_an_operator_outside_the_snapshot_was_not_drawn(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(*drawn_so(network, anchor, members=OTHERS))
    assert failed(report) == {"drawn"}
    assert "not in the snapshot" in named(report.steps, "drawn").why


def test_who_had_the_task_before_may_be_outside_the_snapshot(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    """The contract draws it again when nobody else is free, whatever the newest snapshot."""
    report = verifier.report(*drawn_so(network, anchor, members=OTHERS, attempt=2))
    assert report.settled
    assert named(report.steps, "drawn").computed.startswith("had the task before")


def _told(change: Callable[[Bundle], Any]) -> Callable[[Bundle], None]:
    def altered(bundle: Bundle) -> None:
        change(bundle["task"]["draw"])

    return altered


def _weight(weight: int, at: int = 0) -> Callable[[Bundle], None]:
    return _told(lambda told: told["members"][at].update(weight=str(weight)))


ALTERED = {
    "another member's stake": (_weight(41 * 10**9), "other members or weights"),
    "the operator's own stake": (_weight(56 * 10**9, 1), "other members or weights"),
    "stake moved to the next": (
        _told(lambda t: [m.update(weight=str(47 * 10**9 + 10**9 // 2)) for m in t["members"][:2]]),
        "other members or weights",
    ),
    "another member": (
        _told(lambda t: t["members"][0].update(operator=to_hex(small.STRANGER.address))),
        "other members or weights",
    ),
    "another order": (_told(lambda t: t["members"].reverse()), "other members or weights"),
    "a member left out": (_told(lambda t: t["members"].pop(0)), "other members or weights"),
    "a member more": (
        _told(lambda t: t["members"].append(dict(t["members"][0]))),
        "other members or weights",
    ),
    "nobody": (_told(lambda t: t["members"].clear()), "1..64 members"),
    "too many": (_told(lambda t: t.update(members=t["members"] * 22)), "1..64 members"),
    "no weight": (
        _told(lambda t: [m.update(weight="0") for m in t["members"]]),
        "sum up to 0",
    ),
    "too much weight": (_weight(1 << 96), "96 bits"),
    "another seed": (
        _told(lambda t: t.update(seed=to_hex(keccak256(b"seed")))),
        "another seed",
    ),
    "another attempt": (_told(lambda t: t.update(attempt=1)), "another attempt"),
    "an attempt that overflows": (_told(lambda t: t.update(attempt=256)), "another attempt"),
    "another version": (_told(lambda t: t.update(version=4)), "another version"),
    "a version that overflows": (
        _told(lambda t: t.update(version=small.VERSION | 1 << 40)),
        "another version",
    ),
    "another opening": (_told(lambda t: t.update(opened_block=14)), "another opened_block"),
}


@pytest.mark.parametrize("name", ALTERED)
def test_each_field_that_is_told_otherwise_fails(
    network: small.Network, anchor: Anchor, verifier: Verifier, name: str
) -> None:
    change, says = ALTERED[name]
    bundle = network.bundle()
    change(bundle)
    report = verifier.report(bundle, anchor)
    assert failed(report) == {"drawn"}
    assert says in named(report.steps, "drawn").why


@pytest.mark.parametrize("by", [small.MEMBERS[0].operator, small.STRANGER.address])
def test_another_operator_fails(
    network: small.Network, anchor: Anchor, verifier: Verifier, by: bytes
) -> None:
    bundle = network.bundle()
    bundle["task"]["producer"] = bundle["task"]["result"]["producer"] = to_hex(by)
    report = verifier.report(bundle, anchor)
    assert {"drawn", "statement", "l1-storage"} <= failed(report)
    assert "another operator" in named(report.steps, "drawn").why


@pytest.mark.parametrize("part", ["draw", "Operators", "origin", "seed"])
def test_what_is_left_out_fails(
    network: small.Network, anchor: Anchor, verifier: Verifier, part: str
) -> None:
    bundle = network.bundle()
    proofs = bundle["l1"]["proofs"]
    if part == "draw":
        bundle["task"]["draw"] = None
    elif part == "Operators":
        proofs[:] = [each for each in proofs if each["contract"] != part]
    else:
        (proof,) = [each for each in proofs if each["contract"] == "Settlement"]
        proof["storage"] = [s for s in proof["storage"] if not s["what"].endswith(part)]
    report = verifier.report(bundle, anchor)
    assert failed(report) == {"drawn"}
    assert not report.ok


def test_the_snapshot_is_that_of_the_networks_operators(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    elsewhere = {**anchor.contracts, "Operators": small.STRANGER.address}
    report = verifier.report(network.bundle(), replace(anchor, contracts=elsewhere))
    assert {"drawn", "l1-storage"} == failed(report)
    other_code = {**anchor.code_hashes, "Operators": keccak256(b"other")}
    report = verifier.report(network.bundle(), replace(anchor, code_hashes=other_code))
    assert failed(report) == {"drawn"}


@pytest.mark.parametrize("weight", [-1, "-1", 1.5, None, str(1 << 256)])
def test_a_weight_of_another_form_is_no_bundle(
    network: small.Network, anchor: Anchor, verifier: Verifier, weight: Any
) -> None:
    bundle = network.bundle()
    bundle["task"]["draw"]["members"][0]["weight"] = weight
    with pytest.raises(BundleRejected):
        verifier.report(bundle, anchor)
