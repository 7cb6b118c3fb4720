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


def due(task: Task, height: int, time: int, nobody: bool = False) -> object:
    return rules.due_step(task, height, time, 2, 120, nobody)


def test_an_open_task_is_drawn_once_its_seed_block_is_there() -> None:
    assert due(TASK, 102, 1_002) is None
    assert due(TASK, 103, 1_003) == rules.Draw(0)
    assert due(replace(TASK, attempt=MAX_ATTEMPTS), 103, 1_003) is None


def test_an_assigned_task_is_opened_again_after_its_deadline() -> None:
    assigned = replace(TASK, state=TaskState.ASSIGNED, attempt=3, deadline=2_000)
    assert due(assigned, 500, 2_000) is None
    assert due(assigned, 500, 2_001) == rules.Reopening(4)
    again = replace(TASK, attempt=4, opened_block=500, deadline=2_001)
    assert due(again, 502, 2_003) is None
    assert due(again, 503, 2_004) == rules.Draw(4)


def test_a_task_that_nobody_could_take_is_opened_again_after_a_window() -> None:
    assert due(TASK, 200, 1_120, nobody=True) == rules.Draw(0)
    assert due(TASK, 200, 1_121, nobody=True) == rules.Reopening(1)
    assert due(TASK, 200, 9_999) == rules.Draw(0)


@pytest.mark.parametrize("state", [TaskState.SETTLED, TaskState.RECALLED, TaskState.UNKNOWN])
def test_nothing_is_due_for_a_task_that_has_ended(state: TaskState) -> None:
    assert due(replace(TASK, state=state), 500, 10_000) is None


@given(st.lists(st.integers(0, 2), max_size=50), st.integers(1, 16))
def test_proofs_go_together_by_program_in_order(programs: list[int], most: int) -> None:
    ready = [
        rules.Ready(bytes([n]) * 32, replace(TASK, program=bytes([program]) * 32), (), b"")
        for n, program in enumerate(programs)
    ]
    groups = rules.batches_of(ready, most)
    assert sorted(each.id for group in groups for each in group) == [each.id for each in ready]
    for group in groups:
        assert 1 <= len(group) <= most
        assert len({each.task.program for each in group}) == 1
        assert [each.id for each in group] == sorted(each.id for each in group)
    assert len(groups) == sum(-(-programs.count(program) // most) for program in set(programs))


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
