"""A true trail holds, step by step, as far as it has come; what is left out is absent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opendepin.verify import Anchor, BundleRejected, Outcome, Report
from opendepin.verify.steps import MESSAGE_STEPS, STEPS
from tests.verify import network as small
from tests.verify.conftest import Verifier

L1_STEPS = {"key-history", "include-by", "drawn", "l1-block", "l1-storage"}
TASK_STEPS = {"program", "outputs", "statement", "proof", "pay-root", "drawn"}
ORDER_STEPS = {
    *("body", "segment-root", "segments-root", "data-root"),
    *("header-hash", "sequencer", "attesters", "include-by"),
}


def outcomes(report: Report, outcome: Outcome) -> dict[str, str]:
    return {step.name: step.why for step in report.steps if step.outcome is outcome}


@pytest.mark.parametrize("at", range(5))
def test_every_step_of_a_message_holds(
    network: small.Network, anchor: Anchor, verifier: Verifier, at: int
) -> None:
    report = verifier.report(network.bundle("message", at=at), anchor)
    assert outcomes(report, Outcome.FAILS) == outcomes(report, Outcome.ABSENT) == {}
    assert report.ok
    assert report.settled


def test_a_device_is_known_by_its_message(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle("device"), anchor)
    assert report.settled
    assert report.subject == "0x" + small.ROTATED.address.hex()


def test_a_task_is_complete_without_a_message(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle("task"), anchor)
    assert set(outcomes(report, Outcome.ABSENT)) == MESSAGE_STEPS
    assert report.settled


@pytest.mark.parametrize(
    ("stage", "absent"),
    [
        ("batched", TASK_STEPS | {"field-root"}),
        ("admitted", TASK_STEPS | ORDER_STEPS | {"field-root"}),
    ],
)
def test_what_has_not_come_is_absent(
    network: small.Network, anchor: Anchor, verifier: Verifier, stage: str, absent: set[str]
) -> None:
    report = verifier.report(network.bundle("message", stage), anchor)
    assert set(outcomes(report, Outcome.ABSENT)) == absent
    assert outcomes(report, Outcome.FAILS) == {}
    assert report.ok
    assert not report.settled


@pytest.mark.parametrize("kind", ["message", "task"])
def test_without_a_trusted_block_nothing_is_held_against_l1(
    network: small.Network, anchor: Anchor, verifier: Verifier, kind: str
) -> None:
    report = verifier.report(network.bundle(kind), replace(anchor, block_hash=None))
    absent = set(outcomes(report, Outcome.ABSENT))
    assert absent == L1_STEPS | (MESSAGE_STEPS if kind == "task" else set())
    assert report.ok
    assert not report.settled


def test_without_proofs_nothing_is_held_against_l1(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle() | {"l1": None}, anchor)
    assert set(outcomes(report, Outcome.ABSENT)) == L1_STEPS
    assert not report.settled


def test_a_task_without_its_proof_is_not_bound_to_anything(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle("task") | {"task": None}, anchor)
    assert outcomes(report, Outcome.FAILS) == {}
    assert not report.bound
    assert not report.ok


@pytest.mark.parametrize("part", ["message", "receipt"])
def test_a_message_bundle_needs_message_and_receipt(
    network: small.Network, anchor: Anchor, verifier: Verifier, part: str
) -> None:
    with pytest.raises(BundleRejected, match="message and receipt"):
        verifier.report(network.bundle() | {part: None}, anchor)


def test_a_task_needs_its_batch(network: small.Network, anchor: Anchor, verifier: Verifier) -> None:
    with pytest.raises(BundleRejected, match="over a batch"):
        verifier.report(network.bundle() | {"batch": None}, anchor)


@pytest.mark.parametrize("contract", ["Devices", "BatchInbox", "Settlement"])
def test_a_missing_proof_fails(
    network: small.Network, anchor: Anchor, verifier: Verifier, contract: str
) -> None:
    bundle = network.bundle()
    proofs: list[dict[str, Any]] = bundle["l1"]["proofs"]
    bundle["l1"]["proofs"] = [each for each in proofs if each["contract"] != contract]
    assert "l1-storage" in outcomes(verifier.report(bundle, anchor), Outcome.FAILS)


@pytest.mark.parametrize("slot", range(2))
def test_a_missing_slot_fails(
    network: small.Network, anchor: Anchor, verifier: Verifier, slot: int
) -> None:
    bundle = network.bundle()
    del bundle["l1"]["proofs"][2]["storage"][slot]
    failed = outcomes(verifier.report(bundle, anchor), Outcome.FAILS)
    assert set(failed) == {"l1-storage"}
    assert "does not prove" in failed["l1-storage"]


def test_without_the_programs_text_outputs_are_absent(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    verifier.programs.clear()
    try:
        report = verifier.report(network.bundle(), anchor)
    finally:
        verifier.keep(network.assembled.program)
    assert set(outcomes(report, Outcome.ABSENT)) == {"outputs"}
    program = next(step for step in report.steps if step.name == "program")
    assert "text is not here" in program.source


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 10_000])
def test_another_text_under_the_circuits_hash_fails(
    network: small.Network, anchor: Anchor, verifier: Verifier, text: bytes
) -> None:
    verifier.programs[network.assembled.program.hash] = text
    try:
        failed = outcomes(verifier.report(network.bundle(), anchor), Outcome.FAILS)
    finally:
        verifier.keep(network.assembled.program)
    assert {"program", "outputs"} <= set(failed)
    assert "another hash" in failed["program"]


def test_the_report_has_every_step_once_in_order(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle(), anchor)
    assert [step.name for step in report.steps] == [name for name, _ in STEPS]
    shown = report.to_json()
    assert shown["ok"] is shown["complete"] is True
    assert [step["outcome"] for step in shown["steps"]] == ["holds"] * len(STEPS)


def test_weaknesses_are_shown_whatever_the_bundle_says(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle() | {"labels": []}, anchor)
    assert report.labels[0] == small.LABEL
    assert any("development proving key" in label for label in report.labels)
    altered = network.bundle()
    altered["task"]["verification_key"]["development"] = False
    report = verifier.report(altered | {"labels": []}, anchor)
    assert any("nothing in a bundle shows how it was made" in label for label in report.labels)


def test_the_circuit_is_opened_by_its_hash(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    report = verifier.report(network.bundle(), anchor)
    program = next(step for step in report.steps if step.name == "program")
    assert "circuit opened by its hash" in program.source
