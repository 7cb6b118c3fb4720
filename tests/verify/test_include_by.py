"""A batch in the inbox by the block that a receipt names holds; one block later it is late, which
nothing else of the trail suffers from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opendepin.verify import Anchor, Outcome, Report, layer1
from opendepin.verify.steps import MESSAGE_STEPS, Step, named
from tests.verify import network as small
from tests.verify.chain_state import ChainState
from tests.verify.conftest import Verifier

DUE = dict(enumerate((68, 68, 68, 69, 69)))
"""Place of a message in the segment → the block that its receipt names."""


def taken_at(
    network: small.Network, anchor: Anchor, block: int, kind: str = "message", at: int = 0
) -> tuple[dict[str, Any], Anchor]:
    """Return a bundle of a network whose inbox took the batch in this block, and its anchor."""
    slot = layer1.inbox_block_slot(network.layouts["BatchInbox"], small.NUMBER)
    storage = {name: dict(slots) for name, slots in network.state.storage.items()}
    storage["BatchInbox"][slot] = block.to_bytes(32, "big")
    state = ChainState(small.CONTRACTS, storage, height=120)
    bundle = network.bundle(kind, at=at)
    bundle["batch"]["inbox_block"] = block
    bundle["l1"] = state.l1(network._wanted(network._speakers(), "settled"))
    return bundle, replace(anchor, block_hash=state.block_hash)


def others(report: Report) -> set[Outcome]:
    """Return how the steps beside the one about time came out."""
    left_out: frozenset[str] = MESSAGE_STEPS if report.kind == "task" else frozenset()
    rest = [s for s in report.steps if s.name != "include-by" and s.name not in left_out]
    return {step.outcome for step in rest}


def step(report: Report) -> Step:
    return named(report.steps, "include-by")


@pytest.mark.parametrize("at", DUE)
def test_the_promised_block_is_the_last_in_time(
    network: small.Network, anchor: Anchor, verifier: Verifier, at: int
) -> None:
    due = DUE[at]
    for block in (small.INBOX_BLOCK, due):
        report = verifier.report(*taken_at(network, anchor, block, at=at))
        found = step(report)
        assert (found.outcome, found.why) == (Outcome.HOLDS, "")
        assert (found.computed, found.expected) == (f"block {block}", f"by block {due}")
        assert (report.ok, report.settled, report.late) == (True, True, ())
    report = verifier.report(*taken_at(network, anchor, due + 3, at=at))
    found = step(report)
    assert found.outcome is Outcome.LATE
    assert found.why.startswith("3 blocks late")
    assert report.late == (found,)
    assert others(report) == {Outcome.HOLDS}
    assert report.ok
    assert report.settled
    assert report.to_json()["steps"][14]["outcome"] == "late"


def test_a_task_is_late_by_the_first_of_its_groups(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    for block, outcome in ((68, Outcome.HOLDS), (69, Outcome.LATE)):
        report = verifier.report(*taken_at(network, anchor, block, "task"))
        assert (step(report).outcome, step(report).expected) == (outcome, "by block 68")
        assert others(report) == {Outcome.HOLDS}


@pytest.mark.parametrize("told", [68, 70])
def test_the_block_that_a_bundle_tells_is_the_proven_one(
    network: small.Network, anchor: Anchor, verifier: Verifier, told: int
) -> None:
    bundle, mine = taken_at(network, anchor, 69)
    bundle["batch"]["inbox_block"] = told
    report = verifier.report(bundle, mine)
    assert {each.name for each in report.failed} == {"include-by"}
    assert (step(report).computed, step(report).expected) == ("69", str(told))


def test_a_batch_that_the_inbox_never_took_is_not_in_time(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(*taken_at(network, anchor, 0))
    assert step(report).outcome is Outcome.FAILS


def test_a_bundle_that_leaves_the_proof_out_is_refused(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    bundle, mine = taken_at(network, anchor, 12)
    (proof,) = [each for each in bundle["l1"]["proofs"] if each["contract"] == "BatchInbox"]
    proof["storage"] = [s for s in proof["storage"] if not s["what"].startswith("inbox_block")]
    report = verifier.report(bundle, mine)
    assert {each.name for each in report.failed} == {"include-by"}
    assert "does not prove" in step(report).why
