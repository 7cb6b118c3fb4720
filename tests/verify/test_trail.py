"""A true trail holds, step by step, as far as it has come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opendepin.verify import Anchor, Outcome
from opendepin.verify.steps import MESSAGE_STEPS, STEPS
from tests.verify import network as small
from tests.verify.conftest import Verifier

TASK_STEPS = {"program", "outputs", "statement", "proof", "pay-root"}
BATCH_STEPS = {"body", "segment-root", "field-root", "segments-root", "data-root", "header-hash"}


@pytest.mark.parametrize("at", range(5))
def test_every_step_of_a_message_holds(
    network: small.Network, anchor: Anchor, verifier: Verifier, at: int
) -> None:
    report = verifier.report(network.bundle("message", at=at), anchor)
    assert {s.name: s.why for s in report.steps if s.outcome is not Outcome.HOLDS} == {}
    assert report.ok
    assert report.settled
