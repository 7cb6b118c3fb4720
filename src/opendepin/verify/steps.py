"""The steps of a trail, in order, and the report a reader gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

STEPS: tuple[tuple[str, str], ...] = (
    ("message-form", "The message has the one canonical form"),
    ("message-id", "Its id is the hash of what was signed for this network and project"),
    ("key-history", "Each device's key history gives the registry's accumulator"),
    ("device-signature", "The device's key at that time signed it"),
    ("receipt-signature", "A gateway of the network signed the receipt"),
    ("receipt-path", "The message stands where the receipt says"),
    ("body", "Every message beside it is well formed, known and signed"),
    ("segment-root", "The message is in the segment"),
    ("field-root", "The proof system's root commits to the same readings"),
    ("segments-root", "The segment is in the batch"),
    ("data-root", "The stored chunks are the code of this batch"),
    ("header-hash", "The batch header commits to all of it"),
    ("sequencer", "The sequencer signed the order"),
    ("attesters", "Enough stores recomputed and attested it"),
    ("include-by", "It came into the inbox by the block that the gateway's receipts promise"),
    ("program", "The task is this program over this segment"),
    ("outputs", "The outputs are what the rule gives over these readings"),
    ("statement", "The statement binds network, task, program, data, outputs and producer"),
    ("proof", "The zero-knowledge proof verifies"),
    ("pay-root", "Devices are paid by these outputs"),
    ("drawn", "The operator was drawn for it by stake, score and a later block"),
    ("l1-block", "The L1 block is the trusted one"),
    ("l1-storage", "Contracts hold the same hashes in that block's state"),
)
"""Name and meaning of every step, in the order of `docs/spec/bundle.md`."""

MESSAGE_STEPS = frozenset(
    ("message-form", "message-id", "device-signature", "receipt-signature", "receipt-path")
)
"""Steps about one message, which the trail of a whole task does not have."""

BINDING_STEP = {"message": "message-id", "device": "message-form", "task": "program"}
"""Kind of the subject → the step that binds what is shown to its id."""


class Outcome(Enum):
    """How a step came out."""

    HOLDS = "holds"
    FAILS = "fails"
    LATE = "late"
    """What the step compares is proven, and shows a promise that was not kept: evidence against who
    made it. Nothing else that the trail says is touched.
    """
    ABSENT = "absent"
    """The trail has not come this far, or the anchor brings nothing to compare with."""


@dataclass(frozen=True)
class Found:
    """What a step that holds computed, what it was compared with, and where that came from."""

    computed: str
    expected: str
    source: str
    late: str = ""
    """Which promise was not kept; empty when none was broken."""


@dataclass(frozen=True)
class Step:
    """One step's outcome."""

    name: str
    meaning: str
    outcome: Outcome
    computed: str = ""
    expected: str = ""
    source: str = ""
    why: str = ""
    """Why it fails, is late or absent."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        fields = ("name", "meaning", "computed", "expected", "source", "why")
        return {name: getattr(self, name) for name in fields} | {"outcome": self.outcome.value}


@dataclass(frozen=True)
class Report:
    """All steps of one trail."""

    kind: str
    subject: str
    labels: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def failed(self) -> tuple[Step, ...]:
        """The steps that do not hold."""
        return tuple(step for step in self.steps if step.outcome is Outcome.FAILS)

    @property
    def late(self) -> tuple[Step, ...]:
        """The steps that show a broken promise."""
        return tuple(step for step in self.steps if step.outcome is Outcome.LATE)

    @property
    def bound(self) -> bool:
        """Whether what is shown was bound to the subject's id."""
        return named(self.steps, BINDING_STEP[self.kind]).outcome is Outcome.HOLDS

    @property
    def ok(self) -> bool:
        """Whether every step that the trail has holds, and it is the subject's trail."""
        return self.bound and not self.failed

    @property
    def settled(self) -> bool:
        """Whether the trail is complete, down to the L1's state."""
        left_out: frozenset[str] = MESSAGE_STEPS if self.kind == "task" else frozenset()
        reached = (Outcome.HOLDS, Outcome.LATE)
        return all(s.outcome in reached for s in self.steps if s.name not in left_out)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "subject": {"kind": self.kind, "id": self.subject},
            "ok": self.ok,
            "complete": self.settled,
            "labels": list(self.labels),
            "steps": [step.to_json() for step in self.steps],
        }


def named(steps: Sequence[Step], name: str) -> Step:
    """Return the step of that name."""
    return next(step for step in steps if step.name == name)
