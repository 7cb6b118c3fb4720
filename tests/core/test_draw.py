"""What follows of a draw from its snapshot alone agrees with the draw itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opendepin.core.draw import Member, candidates, drawn, passed_over
from opendepin.core.task import Origin

WEIGHTS = st.lists(st.integers(1, 1 << 80), min_size=1, max_size=9)
BYTES32 = st.binary(min_size=32, max_size=32)
STRANGER = b"\xff" * 20


def members(weights: list[int]) -> list[Member]:
    return [Member(bytes([at + 1]) * 20, weight) for at, weight in enumerate(weights)]


@given(BYTES32, BYTES32, st.integers(0, 31), WEIGHTS, st.data())
def test_nobody_passed_over_was_free(
    task: bytes, seed: bytes, attempt: int, weights: list[int], data: st.DataObject
) -> None:
    snapshot = members(weights)
    free = data.draw(st.sets(st.sampled_from(snapshot), min_size=1))
    operators = {each.operator for each in free}
    found = drawn(task, seed, attempt, snapshot, free=lambda each: each in operators)
    assert found is not None
    turn = passed_over(task, seed, attempt, snapshot, found)
    assert turn is not None
    order = [snapshot[at].operator for at in candidates(task, seed, attempt, weights)]
    assert order[turn] == found
    assert not operators.intersection(order[:turn])
    first = drawn(task, seed, attempt, snapshot)
    assert passed_over(task, seed, attempt, snapshot, first or b"") == 0
    assert (turn == 0) == (found == first)


@given(BYTES32, BYTES32, st.integers(0, 31), WEIGHTS)
def test_every_member_has_a_turn_and_nobody_else(
    task: bytes, seed: bytes, attempt: int, weights: list[int]
) -> None:
    snapshot = members(weights)
    turns = [passed_over(task, seed, attempt, snapshot, each.operator) for each in snapshot]
    assert None not in turns
    assert len(set(turns)) == len(turns)
    assert passed_over(task, seed, attempt, snapshot, STRANGER) is None


@given(*[st.integers(0, (1 << bits) - 1) for bits in (64, 64, 32, 40, 40, 16)])
def test_an_origins_word_is_taken_apart(
    project: int, batch: int, count: int, version: int, opened: int, index: int
) -> None:
    word = project | batch << 64 | count << 128 | version << 160 | opened << 200 | index << 240
    assert Origin.of_word(word) == Origin(project, batch, count, version, opened, index)
