"""The step that holds the settling operator against the draw, recomputed from what L1 keeps.

The snapshot's members are claims of the bundle; their address, which `Operators` keeps by version,
binds them all. Version, seed and attempt are those that the settlement contract keeps of the task.
Who was not free when the contract drew, and who had the task before, L1 keeps of neither: where a
candidate was passed over the step says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from opendepin.chain.storage import map_slot, slot_of
from opendepin.core import draw
from opendepin.core.draw import Member
from opendepin.core.limits import MAX_OPERATORS
from opendepin.core.task import Origin
from opendepin.verify import form, layer1
from opendepin.verify.context import Context, agree, text
from opendepin.verify.errors import StepFailed
from opendepin.verify.steps import Found

ATTEMPT_SHIFT, ATTEMPT_MASK = 240, 255
MEMBERS = ("origin", "seed", "producer")


def snapshot_slot(layout: layer1.Layout, version: int) -> int:
    """Return the slot in which `Operators` keeps a snapshot's address."""
    return map_slot(slot_of(layout, "snapshots"), version)


def drawn(c: Context) -> Found:
    """Recompute the candidates of the task's last draw; compare with who settled it."""
    task, header = c.task, layer1.trusted_header(c)
    if task.draw is None:
        raise StepFailed("the bundle leaves out what the draw is recomputed from")
    operator = _pinned(c, task.draw)
    members = _members(c, task.draw)
    attempt = task.draw.attempt
    before = draw.passed_over(c.task_id, bytes(task.draw.seed), attempt, members, operator)
    if before is None and not attempt:
        raise StepFailed(
            "the operator that settled the task is not in the snapshot it was drawn from",
            computed=f"one of {len(members)} members",
            expected=text(operator),
        )
    return Found(_said(before, len(members)), text(operator), f"storage of block {header.number}")


def _said(before: int | None, members: int) -> str:
    if before == 0:
        return f"first candidate of {members} members"
    if before is None:
        return f"had the task before; none of {members} members was free (not kept by L1)"
    return f"candidate {before + 1}; those before it were not free, or had it last (not kept by L1)"


def _pinned(c: Context, told: form.Draw) -> bytes:
    """Hold version, opening, seed and attempt against the task as L1 keeps it; return who settled
    it.
    """
    task, layout = c.task, c.anchor.layouts["Settlement"]
    name = f"result({text(c.task_id)})"
    slots = {layer1.task_slot(layout, c.task_id, each): f"{name}.{each}" for each in MEMBERS}
    values = layer1.proven(c, layer1.trusted_header(c), "Settlement", slots)
    origin, seed, duty = (int.from_bytes(values[slot], "big") for slot in slots)
    place = c.body.project, c.batch.header.number, c.body.count
    due = Origin(*place, told.version, told.opened_block, c.batch.segment_index)
    for field, kept in asdict(Origin.of_word(origin)).items():
        agree(kept, getattr(due, field), f"L1 keeps another {field} of the task")
    agree(bytes(told.seed), seed.to_bytes(32, "big"), "L1 keeps another seed of the task")
    agree(told.attempt, duty >> ATTEMPT_SHIFT & ATTEMPT_MASK, "L1 keeps another attempt")
    operator = (duty & layer1.PRODUCER_MASK).to_bytes(20, "big")
    agree(operator, bytes(task.producer), "another operator stands as drawn on L1")
    return operator


def _members(c: Context, told: form.Draw) -> Sequence[Member]:
    """Hold the members and their weights against the snapshot's address."""
    members = [Member(bytes(each.operator), int(each.weight)) for each in told.members]
    if not 1 <= len(members) <= MAX_OPERATORS:
        raise StepFailed(f"a snapshot has 1..{MAX_OPERATORS} members, not {len(members)}")
    total = sum(member.weight for member in members)
    if not 0 < total <= draw.MAX_TOTAL:
        raise StepFailed("the members' weights sum up to 0, or to more than 96 bits")
    slot = snapshot_slot(c.anchor.layouts["Operators"], told.version)
    named = {slot: f"snapshots({told.version})"}
    value = layer1.proven(c, layer1.trusted_header(c), "Operators", named)[slot]
    address = draw.snapshot_address(c.anchor.contracts["Operators"], told.version, members)
    agree(address.rjust(32, b"\0"), value, "the snapshot on L1 has other members or weights")
    return members


CHECKS: dict[str, Callable[[Context], Found]] = {"drawn": drawn}
