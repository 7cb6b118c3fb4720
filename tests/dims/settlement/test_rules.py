"""What is due for a task, whose turn it is, and pay with its paths."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core import merkle
from opendepin.core.batch import Range, Segment
from opendepin.core.task import MAX_ATTEMPTS, Task, TaskState
from opendepin.dims.settlement import rules
from opendepin.dims.settlement.errors import SegmentsFault

TASK = Task(
    state=TaskState.OPEN,
    project=1,
    program=b"\x01" * 32,
    batch=5,
    segment_index=0,
    segment_root=b"\x02" * 32,
    field_root=7,
    count=3,
    opened_block=100,
    operators_version=2,
    seed=bytes(32),
    attempt=0,
    assignee=bytes(20),
    deadline=1_000,
)
OPERATORS = [bytes([n]) * 20 for n in range(4)]


def test_an_open_task_is_drawn_once_its_seed_block_is_there() -> None:
    assert rules.due_draw(TASK, 102, 1_002, 2) is None
    assert rules.due_draw(TASK, 103, 1_003, 2) == rules.Draw(0, 1_000)


def test_an_assigned_task_is_drawn_again_after_its_deadline() -> None:
    assigned = replace(TASK, state=TaskState.ASSIGNED, attempt=3, deadline=2_000)
    assert rules.due_draw(assigned, 500, 2_000, 2) is None
    assert rules.due_draw(assigned, 500, 2_001, 2) == rules.Draw(4, 2_000)
    last = replace(assigned, attempt=MAX_ATTEMPTS - 1)
    assert rules.due_draw(last, 500, 2_001, 2) is None


@pytest.mark.parametrize("state", [TaskState.SETTLED, TaskState.RECALLED, TaskState.UNKNOWN])
def test_nothing_is_due_for_a_task_that_has_ended(state: TaskState) -> None:
    assert rules.due_draw(replace(TASK, state=state), 500, 10_000, 2) is None


@given(st.integers(0, 2**64))
def test_every_turn_is_somebodys_first(number: int) -> None:
    turns = [rules.turn(number, operator, OPERATORS) for operator in OPERATORS]
    assert sorted(turns) == [0, 1, 2, 3]
    assert rules.turn(number, b"\xff" * 20, OPERATORS) == 4
    following = [rules.turn(number + 1, operator, OPERATORS) for operator in OPERATORS]
    assert turns.index(0) != following.index(0)


def segment(root: bytes = b"\x01" * 32) -> Segment:
    return Segment(1, root, 7, 2, (Range(b"\x01" * 20, 1, 2, 5, 5),))


def test_segments_are_the_inboxs_in_number_and_order() -> None:
    one, two = segment(), segment(b"\x02" * 32)
    hashes = [one.hash(), two.hash()]
    rules.check_segments([one, two], hashes)
    for wrong in ([two, one], [one], [one, two, two], [one, replace(two, count=3)]):
        with pytest.raises(SegmentsFault):
            rules.check_segments(wrong, hashes)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=70), st.integers(0, 9))
def test_pay_leads_to_the_pay_root(units: list[int], before: int) -> None:
    task = b"\x09" * 32
    outputs = [7] * before + units + [8]
    leaves = [merkle.pay_leaf(task, index, each) for index, each in enumerate(units)]
    due = rules.pay_of(task, outputs, before, len(units))
    assert [(pay.device_index, pay.units) for pay in due] == [
        (index, each) for index, each in enumerate(units) if each
    ]
    for pay in due:
        leaf = merkle.pay_leaf(task, pay.device_index, pay.units)
        reached = merkle.root_of_path(leaf, pay.device_index, len(units), pay.path, merkle.pay_node)
        assert reached == merkle.root(leaves, merkle.pay_node)
