"""Any sequence of batches, right and wrong: numbers, parents, covered positions equal a model's."""

from __future__ import annotations

from dataclasses import replace

import boa
import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from opendepin.core.batch import Range, Segment
from opendepin.core.keys import Key
from tests.contracts import world
from tests.contracts.batches import block, header, submission

GATEWAYS = tuple(Key.from_seed(b"gateway %d" % i).address for i in range(2))
PROJECTS = (1, 2)

PARTS = st.lists(
    st.tuples(
        st.sampled_from(PROJECTS),
        st.lists(
            st.tuples(
                st.sampled_from(GATEWAYS), st.integers(1, 40), st.sampled_from([3, 3, 3, 1, 6])
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=3,
)
"""Segments: project and ranges of (gateway, messages, how far back the identity block lies)."""

FAULTS = st.sampled_from(
    [*[""] * 9, "number", "parent", "gap", "overlap", "count", "sequencer", "attesters"]
)


class InboxMachine(RuleBasedStateMachine):
    """Drives the inbox by whole batches, some with one fault."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.inbox = world.deploy_inbox(world.deploy_attesters())
        self.chain = [world.NETWORK_ID]
        self.covered: dict[tuple[bytes, int], tuple[int, int]] = {}

    def teardown(self) -> None:
        self.anchor.__exit__(None, None, None)

    @rule(parts=PARTS, fault=FAULTS, later=st.sampled_from([0, 5, 50]))
    def submit(
        self, parts: list[tuple[int, list[tuple[bytes, int, int]]]], fault: str, later: int
    ) -> None:
        boa.env.time_travel(blocks=later)
        now = dict(self.covered)
        falling: set[int] = set()
        segments: list[Segment] = []
        for place, (project, rows) in enumerate(parts):
            ranges: list[Range] = []
            for gateway, messages, back in rows:
                position, identity = now.get((gateway, project), (0, 0))
                at = block() - back
                if at < identity:
                    falling.add(place)
                ranges.append(Range(gateway, position + 1, position + messages, at, at))
                now[gateway, project] = (position + messages, at)
            count = sum(r.last - r.first + 1 for r in ranges)
            segments.append(Segment(project, b"\1" * 32, 0, count, tuple(ranges)))
        reason = fault
        if fault in ("gap", "overlap", "count"):
            segments[0] = self.spoiled(segments[0], fault)
            reason = "count" if fault == "count" else "range"
        after_ranges = ("", "sequencer", "attesters")
        if (falling and reason in after_ranges) or (0 in falling and reason == "count"):
            reason = "identity block"
        self.send(segments, fault, reason, now)

    def spoiled(self, segment: Segment, fault: str) -> Segment:
        """Move the first range away from what is covered, or miscount."""
        if fault == "count":
            return replace(segment, count=segment.count + 1)
        by = 1 if fault == "gap" else -1
        head = segment.ranges[0]
        moved = replace(head, first=head.first + by, last=head.last + by)
        return replace(segment, ranges=(moved, *segment.ranges[1:]))

    def send(
        self,
        segments: list[Segment],
        fault: str,
        reason: str,
        now: dict[tuple[bytes, int], tuple[int, int]],
    ) -> None:
        """Submit, and let the model follow where the batch is right."""
        head = header(self.inbox, segments)
        if fault == "number":
            head = replace(head, number=head.number + 1)
        if fault == "parent":
            head = replace(head, parent=b"\7" * 32)
        signer = world.ATTESTERS[0] if fault == "sequencer" else world.SEQUENCER
        attesters = world.ATTESTERS[: 2 if fault == "attesters" else 4]
        call = submission(head, segments, signer, attesters)
        event(reason or "accepted")
        if reason:
            with boa.reverts(reason):
                call.send(self.inbox)
            return
        call.send(self.inbox)
        self.chain.append(head.hash())
        self.covered = now
        number = len(self.chain) - 1
        assert self.inbox.inbox_block(number) == block()
        stored = [self.inbox.segment_hash(number, i) for i in range(len(segments) + 1)]
        assert stored == [*[s.hash() for s in segments], bytes(32)]

    @invariant()
    def equals_the_model(self) -> None:
        assert self.inbox.count() == len(self.chain) - 1
        assert self.inbox.head() == self.chain[-1]
        for number, hashed in enumerate(self.chain[1:], start=1):
            assert self.inbox.header_hash(number) == hashed
        for gateway in GATEWAYS:
            for project in PROJECTS:
                found = self.inbox.covered(world.address_text(gateway), project)
                due = self.covered.get((gateway, project), (0, 0))
                assert (found.position, found.identity_block) == due


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(max_examples=15, stateful_step_count=12)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_inbox_for_long() -> None:
    run_state_machine_as_test(
        InboxMachine, settings=settings(max_examples=400, stateful_step_count=40)
    )
