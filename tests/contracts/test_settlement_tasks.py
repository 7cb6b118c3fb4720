"""Tasks: opened once per segment, drawn by a rule anyone recomputes, re-assigned, recalled once."""

from __future__ import annotations

import dataclasses
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from opendepin.core.batch import Range, Segment
from opendepin.core.draw import drawn
from opendepin.core.statement import HASHES_SERVED, encoded_outputs, program_id, seed_height
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Settling

OTHER = (b"\x04" * 32, b"\x05" * 32, b"\x06" * 32)
OUTPUTS = (9, 8, 1, 2, 3)
RESERVE = (s.OPERATOR_FEE + 6 * s.UNIT_RATE) * (10_000 + s.PROTOCOL_BPS) // 10_000


def open_again(settling: Settling, opened: s.Opened, segment: Segment | None = None) -> bytes:
    call = s.segment_call(segment or opened.segment)
    return settling.settlement.open(opened.batch, opened.index, call)


def expected(settling: Settling, opened: s.Opened, before: bytes | None = None) -> bytes | None:
    """Whom the ground's rule draws for a task that was just assigned."""
    task = settling.settlement.task(opened.id)
    members = settling.members(task.operators_version)
    return drawn(opened.id, task.seed, task.attempt, members, before)


def test_a_task_is_opened_with_the_grounds_id_and_pinned(settling: Settling) -> None:
    opened = settling.open()
    (event,) = settling.events(settling.settlement, "TaskOpened")
    assert opened.id == settling.task_id(opened.batch, 0, 1, opened.program) == event.task
    assert (event.project, event.batch, event.segment_index) == (1, opened.batch, 0)
    assert (event.program, event.count) == (opened.program, 6)
    task = settling.settlement.task(opened.id)
    assert (task.state, task.project, task.batch, task.segment_index) == (s.OPEN, 1, 1, 0)
    assert (task.segment_root, task.field_root) == (opened.segment.root, opened.segment.field_root)
    assert (task.program, task.count, task.operators_version) == (opened.program, 6, 1)
    assert task.opened_block == boa.env.evm.patch.block_number
    assert task.deadline == boa.env.evm.patch.timestamp
    assert settling.settlement.task_at(opened.batch, 0) == opened.id
    assert settling.escrow.reserved(opened.id) == RESERVE
    assert settling.escrow.balance_of(1) == s.DEPOSIT - RESERVE


def test_unknown_tasks_are_empty(settling: Settling) -> None:
    task, result = settling.settlement.task(b"\x01" * 32), settling.settlement.result(b"\x01" * 32)
    assert task.state == 0
    assert result.outputs_hash == result.pay_root == bytes(32)


@pytest.mark.parametrize("index", [0, 1, 15])
def test_w14_every_segment_of_a_batch_has_its_own_task(settling: Settling, index: int) -> None:
    first = settling.segment(2)
    at = first.ranges[0]
    segments = [
        dataclasses.replace(
            first,
            root=bytes([place + 1]) * 32,
            ranges=(dataclasses.replace(at, first=2 * place + 1, last=2 * place + 2),),
        )
        for place in range(16)
    ]
    batch = settling.submit(segments)
    task = settling.settlement.open(batch, index, s.segment_call(segments[index]))
    assert task == settling.task_id(batch, index, 1, settling.programs.current(1))
    with boa.reverts("segment"):
        settling.settlement.open(batch, index ^ 1, s.segment_call(segments[index]))


def _changed(segment: Segment, field: str) -> Segment:
    at = segment.ranges[0]
    changes: dict[str, Any] = {
        "project": 2,
        "root": b"\x55" * 32,
        "field_root": segment.field_root + 1,
        "count": segment.count + 1,
        "ranges": (Range(at.gateway, at.first, at.last, at.identity_first, at.identity_last + 1),),
    }
    return dataclasses.replace(segment, **{field: changes[field]})


@pytest.mark.parametrize("field", ["project", "root", "field_root", "count", "ranges"])
def test_a_segment_is_the_inboxs_in_every_field(settling: Settling, field: str) -> None:
    segment = settling.segment()
    batch = settling.submit([segment])
    with boa.reverts("segment"):
        settling.settlement.open(batch, 0, s.segment_call(_changed(segment, field)))
    settling.settlement.open(batch, 0, s.segment_call(segment))


def test_only_a_batch_of_the_inbox_has_tasks(settling: Settling) -> None:
    segment = settling.segment()
    with boa.reverts("segment"):
        settling.settlement.open(1, 0, s.segment_call(segment))


def test_a_segment_without_field_root_has_no_task(settling: Settling) -> None:
    segment = settling.segment(field_root=0)
    batch = settling.submit([segment])
    with boa.reverts("field root"):
        settling.settlement.open(batch, 0, s.segment_call(segment))


def test_a_project_without_program_has_no_task(settling: Settling) -> None:
    settling.projects.register("bare", bytes(32), value=world.FEE, sender=settling.owner)
    segment = settling.segment(project=2)
    batch = settling.submit([segment])
    with boa.reverts("program"):
        settling.settlement.open(batch, 0, s.segment_call(segment))


def test_a_project_without_money_has_no_task(settling: Settling) -> None:
    settling.escrow.withdraw(1, s.DEPOSIT - RESERVE + 1, sender=settling.owner)
    segment = settling.segment()
    batch = settling.submit([segment])
    with boa.reverts("funds"):
        settling.settlement.open(batch, 0, s.segment_call(segment))
    settling.escrow.deposit(1, value=1)
    settling.settlement.open(batch, 0, s.segment_call(segment))
    assert settling.escrow.balance_of(1) == 0


def test_without_operators_there_is_no_task(settling: Settling) -> None:
    for key in s.OPERATORS:
        settling.operators.leave(sender=world.account(key))
    segment = settling.segment()
    batch = settling.submit([segment])
    with boa.reverts("operators"):
        settling.settlement.open(batch, 0, s.segment_call(segment))


def test_a_segment_is_paid_for_once_whatever_programs_follow(settling: Settling) -> None:
    opened = settling.open()
    with boa.reverts("opened"):
        open_again(settling, opened)
    settling.register_program(OTHER)
    with boa.reverts("opened"):
        open_again(settling, opened)
    producer = settling.assign(opened)
    settling.settle(opened, (9, 8, 1, 2, 3), producer)
    with boa.reverts("opened"):
        open_again(settling, opened)


def test_a_recalled_segment_is_not_opened_again_whatever_programs_follow(
    settling: Settling,
) -> None:
    opened = settling.open()
    s.seconds(s.RECALL_DELAY + 1)
    settling.settlement.recall(opened.id, sender=settling.owner)
    for hashes in (None, OTHER):
        if hashes:
            settling.register_program(hashes)
        with boa.reverts("opened"):
            open_again(settling, opened)
    assert settling.settlement.task_at(opened.batch, 0) == opened.id


def taken(settling: Settling) -> tuple[int, Segment]:
    """Have the inbox take a batch of one segment, whose task nobody opens yet."""
    segment = settling.segment()
    return settling.submit([segment]), segment


def test_a_task_is_of_the_program_in_force_when_the_inbox_took_its_batch(
    settling: Settling,
) -> None:
    first = settling.programs.current(1)
    before = taken(settling)
    second = settling.register_program(OTHER)
    after = taken(settling)
    settling.programs.select(1, first, sender=settling.owner)
    s.blocks(3)
    again = taken(settling)
    settling.register_program((b"\x09" * 32,) * 3)
    for (batch, segment), program in ((before, first), (after, second), (again, first)):
        task = settling.settlement.open(batch, 0, s.segment_call(segment))
        assert task == settling.task_id(batch, 0, 1, program)
        assert settling.settlement.task(task).program == program


def test_a_version_that_is_older_or_newer_than_the_batch_settles_none_of_its_tasks(
    settling: Settling,
) -> None:
    settling.register_program(OTHER)
    batch, segment = taken(settling)
    settling.register_program((b"\x09" * 32,) * 3)
    task = settling.settlement.open(batch, 0, s.segment_call(segment))
    right = s.Opened(task, batch, 0, segment, program_id(*OTHER))
    producer = settling.assign(right)
    for hashes in (s.HASHES, (b"\x09" * 32,) * 3):
        program = program_id(*hashes)
        named = dataclasses.replace(right, program=program)
        moved = dataclasses.replace(named, id=settling.task_id(batch, 0, 1, program))
        with boa.reverts("proof"):
            proof = settling.proof(named, OUTPUTS, producer)
            settling.settlement.settle(task, encoded_outputs(OUTPUTS), proof)
        with boa.reverts("state"):
            settling.settle(moved, OUTPUTS, producer)
    settling.settle(right, OUTPUTS, producer)


def test_a_program_that_came_with_or_after_the_batch_opens_none_of_its_tasks(
    settling: Settling,
) -> None:
    settling.projects.register("late", bytes(32), value=world.FEE, sender=settling.owner)
    settling.escrow.deposit(2, value=s.DEPOSIT)
    segments = [settling.segment(project=2)]
    batches = [settling.submit(segments)]
    settling.register_program(project=2)  # in the block that took the first batch
    segments.append(settling.segment(project=2))
    batches.append(settling.submit([segments[1]]))
    s.blocks(5)
    with boa.reverts("program"):
        settling.settlement.open(batches[0], 0, s.segment_call(segments[0]))
    settling.settlement.open(batches[1], 0, s.segment_call(segments[1]))


def test_a_task_keeps_the_program_it_was_opened_with(settling: Settling) -> None:
    opened = settling.open()
    settling.register_program(OTHER, unit_rate=0, operator_fee=0)
    producer = settling.assign(opened)
    settling.settle(opened, (9, 8, 1, 2, 3), producer)
    assert settling.escrow.held(opened.id) == 6 * s.UNIT_RATE


def test_w9_the_operator_is_drawn_by_the_grounds_rule(settling: Settling) -> None:
    seen = set()
    for _ in range(12):
        opened = settling.open()
        at = boa.env.evm.patch.block_number
        s.blocks(s.DRAW_DELAY)
        with boa.reverts("seed"):
            settling.settlement.assign(opened.id)
        assert seed_height(at, s.DRAW_DELAY, boa.env.evm.patch.block_number) is None
        s.blocks(1)
        settling.settlement.assign(opened.id)
        (event,) = settling.events(settling.settlement, "TaskAssigned")
        height = seed_height(at, s.DRAW_DELAY, boa.env.evm.patch.block_number)
        assert height == at + s.DRAW_DELAY
        task = settling.settlement.task(opened.id)
        assert height is not None
        assert task.seed == s.block_hash(height)
        due = expected(settling, opened)
        assert task.assignee.canonical_address == due == event.operator.canonical_address
        assert (task.state, task.attempt, event.attempt, event.skipped) == (s.ASSIGNED, 0, 0, 0)
        assert task.deadline == boa.env.evm.patch.timestamp + s.WINDOW == event.deadline
        seen.add(due)
    assert len(seen) == 3


@given(late=st.integers(1, 3 * HASHES_SERVED))
@example(late=HASHES_SERVED)
@example(late=HASHES_SERVED + 1)
@settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_w9_a_missed_seed_is_followed_by_formula(settling: Settling, late: int) -> None:
    with boa.env.anchor():
        opened = settling.open()
        at = boa.env.evm.patch.block_number
        s.blocks(s.DRAW_DELAY + late)
        height = seed_height(at, s.DRAW_DELAY, boa.env.evm.patch.block_number)
        assert height is not None
        settling.settlement.assign(opened.id)
        assert settling.settlement.task(opened.id).seed == s.block_hash(height)
        assert height - at - s.DRAW_DELAY == (late - 1) // HASHES_SERVED * HASHES_SERVED


@pytest.mark.parametrize(
    "code",
    [
        b"",
        bytes.fromhex("5f5ffd"),
        bytes.fromhex("601f5ff3"),
        bytes.fromhex("60205ff3"),
    ],
    ids=["none", "reverts", "31 bytes", "zero"],
)
def test_no_seed_is_drawn_where_the_history_has_none(settling: Settling, code: bytes) -> None:
    opened = settling.open()
    s.blocks(s.DRAW_DELAY + 1)
    boa.env.set_code(s.HISTORY, code)
    with boa.reverts("history"):
        settling.settlement.assign(opened.id)
    boa.env.set_code(s.HISTORY, s.HISTORY_CODE)
    settling.settlement.assign(opened.id)


def test_w3_nobody_is_drawn_again_before_the_deadline(settling: Settling) -> None:
    opened, first = settling.assigned()
    s.seconds(s.WINDOW)
    with boa.reverts("deadline"):
        settling.settlement.reopen(opened.id)
    with boa.reverts("state"):
        settling.settlement.assign(opened.id)
    reserve = settling.escrow.reserved(opened.id)
    s.seconds(1)
    settling.settlement.reopen(opened.id)
    (event,) = settling.events(settling.settlement, "TaskReopened")
    slashed = world.BOND * world.MISS_BPS // 10_000
    assert (event.task, event.attempt, event.outcome) == (opened.id, 1, 3)
    assert (event.operator.canonical_address, event.slashed) == (first, slashed)
    with boa.reverts("seed"):
        settling.settlement.assign(opened.id)
    second = settling.assign(opened)
    task = settling.settlement.task(opened.id)
    assert (task.attempt, task.state) == (1, s.ASSIGNED)
    assert second == expected(settling, opened, first) != first
    assert settling.escrow.reserved(opened.id) == reserve
    assert settling.escrow.balance_of(1) == s.DEPOSIT - reserve + slashed


def test_a_missed_deadline_costs_bond_and_score_and_the_project_gets_it(
    settling: Settling,
) -> None:
    opened, first = settling.assigned()
    before = settling.operators.operator(world.address_text(first))
    assert (before.stake, before.score, before.load) == (world.BOND, 50, 1)
    s.seconds(s.WINDOW + 1)
    settling.settlement.reopen(opened.id)
    after = settling.operators.operator(world.address_text(first))
    slashed = settling.operators.miss_amount()
    assert (after.stake, after.score, after.load) == (world.BOND - slashed, 30, 0)
    held = 3 * world.BOND - slashed
    assert settling.operators.bonds_held() == held
    assert boa.env.get_balance(settling.operators.address) == held
    with boa.reverts("state"):
        settling.settle(opened, (9, 8, 1, 2, 3), first)


def _key(address: bytes) -> s.Key:
    return next(key for key in s.OPERATORS if key.address == address)


def test_an_operator_gives_a_task_back_without_losing_bond(settling: Settling) -> None:
    opened, first = settling.assigned()
    sender = world.account(_key(first))
    with boa.reverts("operator"):
        settling.settlement.decline(opened.id, sender=world.account(s.STRANGER))
    settling.settlement.decline(opened.id, sender=sender)
    (event,) = settling.events(settling.settlement, "TaskReopened")
    assert (event.outcome, event.slashed, event.attempt) == (2, 0, 1)
    record = settling.operators.operator(sender)
    assert (record.stake, record.score, record.load) == (world.BOND, 48, 0)
    with boa.reverts("state"):
        settling.settlement.decline(opened.id, sender=sender)
    assert settling.assign(opened) != first


def test_a_late_operator_cannot_decline(settling: Settling) -> None:
    opened, first = settling.assigned()
    s.seconds(s.WINDOW + 1)
    with boa.reverts("deadline"):
        settling.settlement.decline(opened.id, sender=world.account(_key(first)))


def test_who_settles_on_time_gains_score_and_who_is_late_does_not(settling: Settling) -> None:
    _, first = settling.settled()
    assert settling.operators.operator(world.address_text(first)).score == 51
    opened, late = settling.assigned()
    before = settling.operators.operator(world.address_text(late)).score
    s.seconds(s.WINDOW + 1)
    settling.settle(opened, (9, 8, 1, 2, 3), late)
    record = settling.operators.operator(world.address_text(late))
    assert (record.score, record.load, record.stake) == (before, 0, world.BOND)


def test_a_task_is_opened_again_a_bounded_number_of_times(settling: Settling) -> None:
    for key in s.OPERATORS:
        settling.operators.add_stake(value=40 * world.BOND, sender=world.account(key))
    opened, operator = settling.assigned()
    for attempt in range(1, 32):
        before = operator
        operator = settling.reopen(opened)
        assert settling.settlement.task(opened.id).attempt == attempt
        assert operator == expected(settling, opened, before) != before
    s.seconds(s.WINDOW + 1)
    settling.settlement.reopen(opened.id)
    s.blocks(s.DRAW_DELAY + 1)
    with boa.reverts("attempts"):
        settling.settlement.assign(opened.id)
    s.seconds(s.WINDOW + 1)
    with boa.reverts("attempts"):
        settling.settlement.reopen(opened.id)
    s.seconds(s.RECALL_DELAY + 1)
    settling.settlement.recall(opened.id, sender=settling.owner)
    loads = [settling.operators.operator(world.account(key)).load for key in s.OPERATORS]
    assert loads == [0, 0, 0]


def test_who_pauses_leaves_or_is_full_is_drawn_for_no_new_task(settling: Settling) -> None:
    one, two, three = (world.account(key) for key in s.OPERATORS)
    opened = settling.open()
    settling.operators.pause(sender=one)
    settling.operators.leave(sender=two)
    assert settling.assign(opened) == s.OPERATORS[2].address
    task = settling.settlement.task(opened.id)
    free = {s.OPERATORS[2].address}
    assert s.OPERATORS[2].address == drawn(
        opened.id, task.seed, 0, settling.members(1), None, free.__contains__
    )
    settling.operators.offer(1, world.ZK, sender=three)
    waiting = settling.open()
    s.blocks(s.DRAW_DELAY + 1)
    with boa.reverts("operators"):
        settling.settlement.assign(waiting.id)
    settling.operators.resume(sender=one)
    settling.settlement.assign(waiting.id)
    assert settling.settlement.task(waiting.id).assignee == one


def test_only_who_makes_the_kind_of_proof_is_drawn(settling: Settling) -> None:
    for key in s.OPERATORS[:2]:
        settling.operators.offer(s.CAPACITY, 1 << 4, sender=world.account(key))
    for _ in range(4):
        assert settling.assigned()[1] == s.OPERATORS[2].address


def test_w8_the_snapshot_at_opening_draws(settling: Settling) -> None:
    opened = settling.open()
    for number in range(5):
        newcomer = world.account(s.Key.from_seed(b"newcomer %d" % number))
        settling.operators.join(s.CAPACITY, world.ZK, value=50 * world.BOND, sender=newcomer)
    producer = settling.assign(opened)
    assert producer == expected(settling, opened)
    assert producer in {key.address for key in s.OPERATORS}


def test_a_task_whose_snapshot_is_gone_is_drawn_from_the_next(settling: Settling) -> None:
    opened = settling.open()
    for key in s.OPERATORS:
        settling.operators.leave(sender=world.account(key))
    newcomer = s.Key.from_seed(b"newcomer")
    settling.operators.join(1, world.ZK, value=world.BOND, sender=world.account(newcomer))
    s.blocks(s.DRAW_DELAY + 1)
    with boa.reverts("operators"):
        settling.settlement.assign(opened.id)
    with boa.reverts("deadline"):
        settling.settlement.reopen(opened.id)
    s.seconds(world.EPOCH)
    settling.settlement.reopen(opened.id)
    assert settling.assign(opened) == newcomer.address


def test_a_recalled_task_frees_its_operator(settling: Settling) -> None:
    opened, operator = settling.assigned()
    s.seconds(s.WINDOW + s.RECALL_DELAY + 1)
    settling.settlement.recall(opened.id, sender=settling.owner)
    record = settling.operators.operator(world.address_text(operator))
    assert (record.load, record.score, record.stake) == (0, 50, world.BOND)


def test_unknown_and_finished_tasks_are_not_assigned(settling: Settling) -> None:
    with boa.reverts("state"):
        settling.settlement.assign(b"\x01" * 32)
    opened, _ = settling.settled()
    s.seconds(s.WINDOW + 1)
    with boa.reverts("state"):
        settling.settlement.assign(opened.id)


def test_w4_the_owner_recalls_an_open_task_once(settling: Settling) -> None:
    opened, other = settling.open(), settling.open()
    s.seconds(s.RECALL_DELAY)
    with boa.reverts("early"):
        settling.settlement.recall(opened.id, sender=settling.owner)
    s.seconds(1)
    with boa.reverts("owner"):
        settling.settlement.recall(opened.id, sender=world.account(s.STRANGER))
    settling.settlement.recall(opened.id, sender=settling.owner)
    (event,) = settling.events(settling.settlement, "TaskRecalled")
    assert (event.task, event.project) == (opened.id, 1)
    assert settling.settlement.task(opened.id).state == s.RECALLED
    assert settling.escrow.reserved(opened.id) == 0
    assert settling.escrow.balance_of(1) == s.DEPOSIT - RESERVE
    for _ in range(3):
        with boa.reverts("state"):
            settling.settlement.recall(opened.id, sender=settling.owner)
    assert settling.escrow.reserved(other.id) == RESERVE
    with boa.reverts("state"):
        settling.settlement.assign(opened.id)
    producer = settling.assign(other)
    settling.settle(other, (9, 8, 1, 2, 3), producer)


def test_an_expired_task_is_recalled_after_the_delay(settling: Settling) -> None:
    opened, producer = settling.assigned()
    s.seconds(s.WINDOW + s.RECALL_DELAY)
    with boa.reverts("early"):
        settling.settlement.recall(opened.id, sender=settling.owner)
    s.seconds(1)
    settling.settlement.recall(opened.id, sender=settling.owner)
    assert settling.escrow.balance_of(1) == s.DEPOSIT
    with boa.reverts("state"):
        settling.settle(opened, (9, 8, 1, 2, 3), producer)


def test_a_settled_task_is_not_recalled(settling: Settling) -> None:
    opened, _ = settling.settled()
    s.seconds(10 * s.RECALL_DELAY)
    with boa.reverts("state"):
        settling.settlement.recall(opened.id, sender=settling.owner)


def test_the_network_is_bound_at_deployment(settling: Settling) -> None:
    bound = settling.settlement
    addresses = [
        bound.inbox(),
        bound.programs(),
        bound.operators(),
        bound.escrow(),
        bound.devices(),
    ]
    assert bound.network_id() == world.NETWORK_ID
    assert bound.projects() == settling.projects.address
    assert (bound.draw_delay(), bound.window(), bound.recall_delay()) == (2, 120, 480)
    for changed, reason in (
        ((bytes(32), *addresses, 2, 120), "network"),
        ((world.NETWORK_ID, *addresses, 0, 120), "delay"),
        ((world.NETWORK_ID, *addresses, HASHES_SERVED, 120), "delay"),
        ((world.NETWORK_ID, *addresses, 2, 0), "window"),
        ((world.NETWORK_ID, *addresses, 2, 30 * 86_400 + 1), "window"),
    ):
        with boa.reverts(reason):
            world.load("Settlement", *changed)
