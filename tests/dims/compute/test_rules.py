"""A task's readings are those of its own segment, checked whole, or it is not proven."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opendepin.core.batch import encode_body
from opendepin.core.errors import EncodingRejected
from opendepin.core.readings import ReadingRejected, check_segment
from opendepin.core.task import Task, TaskState
from opendepin.dims.compute import rules
from opendepin.dims.compute.errors import SegmentRejected
from tests.dims.settlement import ground as g

NETWORK = b"\x0e" * 32
GATEWAYS = {g.GATEWAY.address}


def laid() -> tuple[bytes, Task]:
    """A body of two segments of project 1 and the task over the second."""
    ground = object.__new__(g.Ground)
    ground.network_id, ground.position, ground.seq = NETWORK, 0, 0
    first, second = ground.body(2, 10), ground.body(5, 20)
    checked = check_segment(second, GATEWAYS, g.RULES, g.histories)
    root = g.field_root_of(checked.readings)
    zero = bytes(32)
    head = (TaskState.ASSIGNED, 1, g.PROGRAM, 1, 1, checked.root, root, 5)
    return encode_body([first, second]), Task(*head, 30, 1, zero, 0, bytes(20), 99)


def test_the_readings_of_a_task_are_its_segments() -> None:
    body, task = laid()
    segment = rules.segment_body(body, task, NETWORK)
    assert rules.identity_block(segment) == 20
    readings = rules.readings_of_segment(segment, task, GATEWAYS, g.RULES, g.histories)
    assert [r.device_index for r in readings] == [0, 1, 2, 0, 1]
    assert [r.values[0] for r in readings] == [0, 10, 20, 30, 40]


@pytest.mark.parametrize(
    "changed",
    [{"segment_root": b"\x01" * 32}, {"count": 4}, {"segment_index": 0}],
)
def test_another_segment_is_refused(changed: dict[str, object]) -> None:
    body, task = laid()
    other = replace(task, **changed)
    segment = rules.segment_body(body, other, NETWORK)
    with pytest.raises(SegmentRejected):
        rules.readings_of_segment(segment, other, GATEWAYS, g.RULES, g.histories)


@pytest.mark.parametrize("changed", [{"segment_index": 2}, {"project": 2}])
def test_a_segment_that_is_not_there_is_refused(changed: dict[str, object]) -> None:
    body, task = laid()
    with pytest.raises(SegmentRejected):
        rules.segment_body(body, replace(task, **changed), NETWORK)


def test_a_damaged_body_is_refused() -> None:
    body, task = laid()
    with pytest.raises(EncodingRejected):
        rules.segment_body(body[:-1], task, NETWORK)
    flipped = bytearray(body)
    flipped[-10] ^= 1
    segment = rules.segment_body(bytes(flipped), task, NETWORK)
    with pytest.raises(ReadingRejected):
        rules.readings_of_segment(segment, task, GATEWAYS, g.RULES, g.histories)


def test_an_unknown_gateway_is_refused() -> None:
    body, task = laid()
    segment = rules.segment_body(body, task, NETWORK)
    with pytest.raises(ReadingRejected):
        rules.readings_of_segment(segment, task, set(), g.RULES, g.histories)


def test_pauses_double_up_to_the_longest() -> None:
    assert [rules.wait_s(n, 1.0, 60.0) for n in (0, 1, 2, 3, 6, 7, 1_000)] == [
        0,
        1,
        2,
        4,
        32,
        60,
        60,
    ]
