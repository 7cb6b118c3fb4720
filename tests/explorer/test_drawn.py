"""The draw by the page and by `opendepin.verify`: the same candidates, the same refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from opendepin.core.draw import Member, passed_over, snapshot_address
from opendepin.core.encodings import from_hex, keccak256, to_hex
from tests.explorer import history
from tests.explorer import test_verifier as readers
from tests.explorer.slots import slot_of
from tests.explorer.test_verifier import Trail
from tests.explorer.verifier import ask

trail = readers.trail
STRANGER = "0x" + "11" * 20


def _members(change: Callable[[list[Any]], Any]) -> Callable[[dict[str, Any]], None]:
    def altered(task: dict[str, Any]) -> None:
        change(task["draw"]["members"])

    return altered


def _told(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda task: task["draw"].update(fields)


ALTERED: dict[str, Callable[[dict[str, Any]], None]] = {
    "another member's stake": _members(lambda rows: rows[0].update(weight="1")),
    "another member": _members(lambda rows: rows[1].update(operator=STRANGER)),
    "another order": _members(lambda rows: rows.reverse()),
    "a member left out": _members(lambda rows: rows.pop()),
    "a member more": _members(lambda rows: rows.append(dict(rows[0]))),
    "nobody": _members(lambda rows: rows.clear()),
    "too many": _members(lambda rows: rows.extend([dict(rows[0]) for _ in range(63)])),
    "no weight": _members(lambda rows: [row.update(weight="0") for row in rows]),
    "too much weight": _members(lambda rows: rows[0].update(weight=str(1 << 96))),
    "another seed": _told(seed="0x" + "11" * 32),
    "another attempt": _told(attempt=1),
    "an attempt that overflows": _told(attempt=256),
    "another version": _told(version=2),
    "another opening": _told(opened_block=10),
    "no draw": lambda task: task.update(draw=None),
}


@pytest.mark.parametrize("name", ALTERED)
async def test_each_field_that_is_told_otherwise_fails(trail: Trail, name: str) -> None:
    bundle = copy.deepcopy(trail.bundle)
    ALTERED[name](bundle["task"])
    assert await readers.refused(trail, bundle) == ({"drawn"}, {"drawn"})


@pytest.mark.parametrize("by", [each.address for each in history.OPERATORS] + [b"\x11" * 20])
async def test_another_operator_fails(trail: Trail, by: bytes) -> None:
    bundle = copy.deepcopy(trail.bundle)
    true = bundle["task"]["producer"]
    bundle["task"]["producer"] = bundle["task"]["result"]["producer"] = to_hex(by)
    package, page = await readers.refused(trail, bundle)
    assert (package == page == set()) == (true == to_hex(by))
    if true != to_hex(by):
        assert {"drawn", "statement", "l1-storage"} <= package & page


async def drawn_so(
    trail: Trail, world: history.World, members: list[Member], seed: bytes, attempt: int = 0
) -> dict[str, str]:
    """Return what both readers say of the step, had L1 kept this draw of the task."""
    bundle = copy.deepcopy(trail.bundle)
    task = from_hex(bundle["task"]["task_id"])
    operators, settlement = history.CONTRACTS["Operators"], history.CONTRACTS["Settlement"]
    snapshot = slot_of("Operators", "snapshots", [history.VERSION.to_bytes(32, "big")])
    at = {offset: slot_of("Settlement", "tasks", [task], offset) for offset in (4, 5)}
    kept = {name: dict(world.storage[name]) for name in (operators, settlement)}
    address = snapshot_address(operators, history.VERSION, members)
    world.storage[operators][snapshot] = address.rjust(32, b"\0")
    duty = int.from_bytes(kept[settlement][at[4]], "big") | attempt << 240
    world.storage[settlement] |= {at[4]: duty.to_bytes(32, "big"), at[5]: seed}
    told = [{"operator": to_hex(each.operator), "weight": str(each.weight)} for each in members]
    bundle["task"]["draw"] |= {"members": told, "seed": to_hex(seed), "attempt": attempt}
    wanted = [(p["contract"], s["what"]) for p in bundle["l1"]["proofs"] for s in p["storage"]]
    try:
        bundle["l1"] = await history.WorldPorts(world).prove(wanted)
    finally:
        world.storage |= kept
    page = ask(trail.folder, {"bundle": bundle, "anchor": trail.anchor})["report"]
    report = await readers.by_package(bundle, proof_check=readers.by_everybody)
    (mine,) = [step for step in report.steps if step.name == "drawn"]
    (theirs,) = [step for step in page if step["name"] == "drawn"]
    assert theirs["outcome"] == mine.outcome.value
    assert (theirs["computed"], theirs["expected"]) == (mine.computed, mine.expected)
    assert {step["name"] for step in page if step["outcome"] == "fails"} <= {"drawn"}
    return theirs


OTHERS = [Member(keccak256(b"other %d" % at)[12:], (at + 3) * 10**9) for at in range(5)]


@pytest.mark.parametrize("number", range(6))
async def test_both_readers_count_the_same_candidates(
    trail: Trail, world: history.World, number: int
) -> None:
    """Small and large weights, one of them 0: the operator's turn comes early or late."""
    task, operator = (from_hex(trail.bundle["task"][name]) for name in ("task_id", "producer"))
    seed = keccak256(b"a later block %d" % number)
    weights = (0, 1, 10**9, 12 * 10**9, 1 << 90)[number % 5]
    members = [*OTHERS[:2], Member(operator, weights), *OTHERS[2:]]
    turn = passed_over(task, seed, 0, members, operator)
    assert turn is not None
    found = await drawn_so(trail, world, members, seed)
    assert found["outcome"] == "holds"
    first = f"first candidate of {len(members)} members"
    assert found["computed"].startswith(f"candidate {turn + 1};" if turn else first)


async def test_an_operator_outside_the_snapshot_was_not_drawn(
    trail: Trail, world: history.World
) -> None:
    found = await drawn_so(trail, world, OTHERS, keccak256(b"seed"))
    assert found["outcome"] == "fails"
    assert "not in the snapshot" in found["why"]
    found = await drawn_so(trail, world, OTHERS, keccak256(b"seed"), attempt=1)
    assert found["outcome"] == "holds"
    assert found["computed"].startswith("had the task before")
