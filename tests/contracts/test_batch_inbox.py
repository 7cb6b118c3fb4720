"""The inbox takes exactly the batch that continues, signed by those who must, and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boa
import pytest

from opendepin.core.batch import Range, Segment
from opendepin.core.keys import Key, N
from opendepin.core.limits import MAX_SEGMENT_MESSAGES
from tests.contracts import world
from tests.contracts.batches import (
    DATA_ROOT,
    GATEWAY,
    block,
    header,
    segment,
    span,
    submission,
    submit,
)

OTHER_GATEWAY = Key.from_seed(b"other gateway").address
STRANGER = Key.from_seed(b"stranger")


def covered(inbox: Any, gateway: bytes = GATEWAY, project: int = 1) -> tuple[int, int]:
    found = inbox.covered(world.address_text(gateway), project)
    return found.position, found.identity_block


def refused(inbox: Any, reason: str, *segments: Segment, **changed: Any) -> None:
    """Submit a batch that everybody signed; it must be refused and leave nothing behind."""
    before = (inbox.count(), inbox.head(), covered(inbox))
    with boa.reverts(reason):
        submit(inbox, *segments, **changed)
    assert (inbox.count(), inbox.head(), covered(inbox)) == before


def test_starts_at_the_network(inbox: Any) -> None:
    assert (inbox.count(), inbox.head(), inbox.last_time()) == (0, world.NETWORK_ID, 0)
    assert covered(inbox) == (0, 0)


def test_keeps_the_hashes_that_the_core_computes(inbox: Any) -> None:
    one = segment(span(1, 3), span(1, 2, OTHER_GATEWAY))
    two = replace(segment(span(1, 256), project=2), field_root=0)
    head = submit(inbox, one, two)
    (event,) = inbox.get_logs()
    assert event.header_hash == head.hash() == inbox.header_hash(1) == inbox.head()
    assert (event.number, event.data_root, event.segments) == (1, DATA_ROOT, 2)
    assert [inbox.segment_hash(1, i) for i in range(3)] == [one.hash(), two.hash(), bytes(32)]
    assert inbox.inbox_block(1) == block()
    assert inbox.last_time() == head.time
    assert covered(inbox) == (3, block() - 5)
    assert covered(inbox, OTHER_GATEWAY) == (2, block() - 5)
    assert covered(inbox, GATEWAY, 2) == (256, block() - 5)


def test_a_chain_grows_by_one(inbox: Any) -> None:
    parent = world.NETWORK_ID
    for number in range(1, 4):
        head = submit(inbox, segment(span(number * 2 - 1, number * 2)))
        assert (head.number, head.parent) == (number, parent)
        parent = head.hash()
        boa.env.time_travel(blocks=1)
    assert inbox.header_hash(0) == inbox.header_hash(4) == bytes(32)
    assert (inbox.count(), inbox.head()) == (3, parent)


@pytest.mark.parametrize("number", [0, 1, 3, 2**64 - 1])
def test_a_gap_or_a_repeat_is_refused(inbox: Any, number: int) -> None:
    submit(inbox, segment(span(1, 1)))
    refused(inbox, "number", segment(span(2, 2)), number=number)


def test_a_wrong_parent_is_refused(inbox: Any) -> None:
    refused(inbox, "parent", segment(span(1, 1)), parent=bytes(32))
    first = submit(inbox, segment(span(1, 1)))
    for parent in (world.NETWORK_ID, first.parent, bytes(32)):
        refused(inbox, "parent", segment(span(2, 2)), parent=parent)


def test_of_two_forks_one_stands(inbox: Any) -> None:
    left, right = segment(span(1, 1)), segment(span(1, 2))
    fork = submission(header(inbox, [right]), [right])
    submit(inbox, left)
    with boa.reverts("number"):
        fork.send(inbox)
    with boa.reverts("parent"):
        replace(fork, number=2).send(inbox)


def test_the_same_batch_is_taken_once(inbox: Any) -> None:
    one = segment(span(1, 1))
    call = submission(header(inbox, [one]), [one])
    call.send(inbox)
    with boa.reverts("number"):
        call.send(inbox)


def test_time_never_goes_back_and_runs_at_most_a_minute_ahead(inbox: Any) -> None:
    now = boa.env.timestamp
    refused(inbox, "time", segment(span(1, 1)), time=now + 61)
    submit(inbox, segment(span(1, 1)), time=now + 60)
    refused(inbox, "time", segment(span(2, 2)), time=now + 59)
    submit(inbox, segment(span(2, 2)), time=now + 60)


def test_identity_blocks_lie_in_the_past_and_are_recent(inbox: Any) -> None:
    oldest = world.MAX_IDENTITY_AGE
    for back in (0, -1, oldest + 1):
        refused(inbox, "identity block", segment(span(1, 1, back=back)))
    submit(inbox, segment(span(1, 1, back=oldest)))
    submit(inbox, segment(span(2, 2, back=1)))


def test_identity_blocks_never_decrease(inbox: Any) -> None:
    submit(inbox, segment(span(1, 1, back=5)))
    refused(inbox, "identity block", segment(span(2, 2, back=6)))
    falling = Range(GATEWAY, 2, 3, block() - 3, block() - 4)
    refused(inbox, "identity block", segment(falling))
    old_in_new = Range(GATEWAY, 2, 3, block() - world.MAX_IDENTITY_AGE - 1, block() - 1)
    refused(inbox, "identity block", segment(old_in_new))
    rising = Range(GATEWAY, 2, 3, block() - 5, block() - 1)
    submit(inbox, segment(rising))
    assert covered(inbox) == (3, block() - 1)
    refused(inbox, "identity block", segment(span(4, 4, back=2)))


def test_identity_blocks_never_decrease_within_one_batch(inbox: Any) -> None:
    refused(inbox, "identity block", segment(span(1, 1, back=5), span(2, 2, back=6)))
    refused(inbox, "identity block", segment(span(1, 1, back=5)), segment(span(2, 2, back=6)))
    submit(inbox, segment(span(1, 1, back=6)), segment(span(2, 2, back=5)))


@pytest.mark.parametrize(
    ("first", "last"), [(2, 2), (4, 4), (1, 3), (0, 3), (3, 2), (2**64 - 1, 2**64 - 1)]
)
def test_ranges_continue(inbox: Any, first: int, last: int) -> None:
    submit(inbox, segment(span(1, 2)))
    count = max(last - first + 1, 1)
    refused(inbox, "range", replace(segment(span(first, last)), count=count))
    submit(inbox, segment(span(3, 3)))


def test_ranges_continue_within_one_batch(inbox: Any) -> None:
    refused(inbox, "range", segment(span(1, 2), span(4, 4)))
    refused(inbox, "range", segment(span(1, 2)), segment(span(1, 2)))
    submit(inbox, segment(span(1, 2), span(3, 3)), segment(span(4, 4)))
    assert covered(inbox) == (4, block() - 5)


def test_position_zero_and_project_zero_do_not_exist(inbox: Any) -> None:
    refused(inbox, "range", segment(span(0, 0)))
    refused(inbox, "range", segment(span(1, 1), project=0))


def test_positions_are_of_a_gateway_and_a_project(inbox: Any) -> None:
    submit(inbox, segment(span(1, 5)))
    refused(inbox, "range", segment(span(6, 6, OTHER_GATEWAY)))
    refused(inbox, "range", segment(span(6, 6), project=2))
    submit(inbox, segment(span(1, 1, OTHER_GATEWAY)), segment(span(1, 1), project=2))
    assert covered(inbox) == (5, block() - 5)


@pytest.mark.parametrize("count", [0, 1, 3, MAX_SEGMENT_MESSAGES + 1, 2**32 - 1])
def test_the_count_is_that_of_the_ranges(inbox: Any, count: int) -> None:
    refused(inbox, "count", replace(segment(span(1, 2)), count=count))


def test_a_segment_is_neither_empty_nor_too_large(inbox: Any) -> None:
    refused(inbox, "count", segment(span(1, MAX_SEGMENT_MESSAGES + 1)))
    refused(inbox, "count", segment())
    refused(inbox, "count", replace(segment(), count=1))
    submit(inbox, segment(span(1, MAX_SEGMENT_MESSAGES)))


def test_a_range_as_long_as_the_numbers_allow_is_refused(inbox: Any) -> None:
    endless = Range(GATEWAY, 1, 2**64 - 1, block() - 1, block() - 1)
    refused(inbox, "count", Segment(1, bytes(32), 0, 256, (endless,)))


def test_a_batch_has_one_to_sixteen_segments(inbox: Any) -> None:
    refused(inbox, "count")
    many = [segment(span(n, n)) for n in range(1, 18)]
    with boa.reverts():
        submit(inbox, *many)
    submit(inbox, *many[:16])
    assert inbox.segment_hash(1, 15) == many[15].hash()


def test_a_segment_has_at_most_eight_ranges(inbox: Any) -> None:
    many = [span(n, n) for n in range(1, 10)]
    with boa.reverts():
        submit(inbox, segment(*many))
    submit(inbox, segment(*many[:8]))


SIGNED_FIELDS = [
    {"network_id": bytes(32)},
    {"number": 2},
    {"parent": bytes(32)},
    {"segments_root": bytes(32)},
    {"data_root": bytes(32)},
    {"data_bytes": 1_001},
    {"time": 7},
]


@pytest.mark.parametrize("changed", SIGNED_FIELDS, ids=lambda c: next(iter(c)))
def test_every_field_of_the_header_is_bound(inbox: Any, changed: dict[str, Any]) -> None:
    one = segment(span(1, 2))
    good = submission(header(inbox, [one]), [one])
    bad = submission(replace(header(inbox, [one]), **changed), [one])
    with boa.reverts("sequencer"):
        replace(good, sequencer_signature=bad.sequencer_signature).send(inbox)
    with boa.reverts("attesters"):
        replace(good, attestations=bad.attestations).send(inbox)
    good.send(inbox)


SEGMENT_FIELDS = {
    "project": lambda s: replace(s, project=2),
    "root": lambda s: replace(s, root=bytes(32)),
    "field_root": lambda s: replace(s, field_root=78),
    "gateway": lambda s: replace(s, ranges=(replace(s.ranges[0], gateway=OTHER_GATEWAY),)),
    "identity_first": lambda s: replace(
        s, ranges=(replace(s.ranges[0], identity_first=s.ranges[0].identity_first - 1),)
    ),
    "identity_last": lambda s: replace(
        s, ranges=(replace(s.ranges[0], identity_last=s.ranges[0].identity_last + 1),)
    ),
    "count and last": lambda s: replace(s, count=3, ranges=(replace(s.ranges[0], last=3),)),
    "split": lambda s: replace(s, ranges=(span(1, 1), span(2, 2))),
}


@pytest.mark.parametrize("field", SEGMENT_FIELDS)
def test_every_field_of_a_segment_is_bound(inbox: Any, field: str) -> None:
    one = segment(span(1, 2))
    good = submission(header(inbox, [one]), [one])
    with boa.reverts("sequencer"):
        replace(good, segments=(SEGMENT_FIELDS[field](one),)).send(inbox)


def test_the_order_of_segments_is_bound(inbox: Any) -> None:
    one, two = segment(span(1, 2)), segment(span(1, 1), project=2)
    good = submission(header(inbox, [one, two]), [one, two])
    for segments in ((two, one), (one,), (one, two, segment(span(3, 3)))):
        with boa.reverts("sequencer"):
            replace(good, segments=segments).send(inbox)


def test_the_sequencer_alone_orders(inbox: Any) -> None:
    one = segment(span(1, 2))
    head = header(inbox, [one])
    for key in (STRANGER, world.ATTESTERS[0]):
        with boa.reverts("sequencer"):
            submission(head, [one], sequencer=key).send(inbox)
    good = submission(head, [one])
    as_attestation = world.SEQUENCER.sign_recoverable(head.attest_digest())
    plain = world.SEQUENCER.sign_recoverable(head.hash())
    for signature in (as_attestation, plain, b"", good.sequencer_signature[:64], bytes(65)):
        with boa.reverts("sequencer"):
            replace(good, sequencer_signature=signature).send(inbox)


def other_form(signature: bytes) -> bytes:
    s = N - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def test_signatures_have_one_form(inbox: Any) -> None:
    one = segment(span(1, 2))
    good = submission(header(inbox, [one]), [one])
    with boa.reverts("sequencer"):
        replace(good, sequencer_signature=other_form(good.sequencer_signature)).send(inbox)
    for at in range(4):
        forms = [other_form(a) if i == at else a for i, a in enumerate(good.attestations)]
        with boa.reverts("attesters"):
            replace(good, attestations=tuple(forms)).send(inbox)


def test_enough_attesters_in_order_each_once(inbox: Any) -> None:
    a, b, c, d = world.ATTESTERS
    one = segment(span(1, 2))
    head = header(inbox, [one])
    wrong = (
        [],
        [a, b],
        [a, b, b],
        [b, a, c],
        [a, b, STRANGER],
        [a, b, c, STRANGER],
        [a, b, c, d, d],
    )
    for keys in wrong:
        with boa.reverts("attesters"):
            submission(head, [one], attesters=keys).send(inbox)
    submission(head, [one], attesters=[a, c, d]).send(inbox)


def test_attesters_sign_in_their_own_domain(inbox: Any) -> None:
    one = segment(span(1, 2))
    head = header(inbox, [one])
    good = submission(head, [one])
    for digest in (head.sequence_digest(), head.hash()):
        forms = tuple(key.sign_recoverable(digest) for key in world.ATTESTERS)
        with boa.reverts("attesters"):
            replace(good, attestations=forms).send(inbox)


def test_a_batch_of_another_network_is_refused(attesters: Any, inbox: Any) -> None:
    other = world.load(
        "BatchInbox",
        bytes(31) + b"\1",
        world.address_text(world.SEQUENCER.address),
        attesters.address,
        world.MAX_IDENTITY_AGE,
    )
    one = segment(span(1, 2))
    with boa.reverts("parent"):
        submission(header(inbox, [one]), [one]).send(other)
    with boa.reverts("sequencer"):
        submission(header(other, [one]), [one]).send(other)


def test_knows_its_terms(inbox: Any, attesters: Any) -> None:
    found = (inbox.network_id(), inbox.sequencer(), inbox.attesters(), inbox.max_identity_age())
    sequencer = world.address_text(world.SEQUENCER.address)
    assert found == (world.NETWORK_ID, sequencer, attesters.address, world.MAX_IDENTITY_AGE)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (0, bytes(32), "network"),
        (1, world.address_text(bytes(20)), "sequencer"),
        (2, world.address_text(GATEWAY), "attesters"),
        (3, 0, "identity age"),
    ],
)
def test_a_wrong_start_is_refused(attesters: Any, at: int, value: Any, reason: str) -> None:
    terms: list[Any] = [world.NETWORK_ID, world.address_text(GATEWAY), attesters.address, 1]
    terms[at] = value
    with boa.reverts(reason):
        world.load("BatchInbox", *terms)


@pytest.mark.parametrize(("segments", "limit"), [(1, 145_000), (4, 230_000)])
def test_gas(inbox: Any, segments: int, limit: int, record_property: Any) -> None:
    submit(inbox, *[segment(span(1, 64), project=p) for p in range(1, segments + 1)])
    submit(inbox, *[segment(span(65, 128), project=p) for p in range(1, segments + 1)])
    done = inbox._computation
    calldata = sum(16 if byte else 4 for byte in done.msg.data)
    gas = 21_000 + calldata + done.net_gas_used
    record_property("gas", gas)
    print(f"a batch of {segments} segments: {gas} gas, {calldata} of it calldata")
    assert gas <= limit
