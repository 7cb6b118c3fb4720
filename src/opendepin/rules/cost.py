"""What a rule costs: rows of its circuit by line of the project, and what is not the rule's own.

In: a `Built`. Out: a `Cost`, and the table that `depin run --cost` prints.
"""

from __future__ import annotations

import linecache
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.trace import Trace
from opendepin.rules.building import Built
from opendepin.rules.places import line_here
from opendepin.rules.session import is_running

OUTPUTS = {"zero", "total", "outputs", "evaluation"}
"""Components that turn what readings contribute into the proof's outputs."""


@dataclass(frozen=True)
class LineCost:
    """One line of a project."""

    file: str
    line: int
    text: str
    rows: int
    """Rows for each reading."""


@dataclass(frozen=True)
class Cost:
    """All rows of a circuit."""

    capacity: int
    """Readings the circuit has room for; it costs the same for fewer."""
    lines: tuple[LineCost, ...]
    unpacking: int
    """Rows for each reading: its words taken apart, which checks the range of every field."""
    commitment: int
    """Rows in all: the tree that ties the readings to the field root, and their number."""
    outputs: int
    """Rows in all: totals over the readings, outputs, their evaluation."""

    @property
    def rule(self) -> int:
        """Rows of the rule's own lines for each reading."""
        return sum(line.rows for line in self.lines)

    @property
    def total(self) -> int:
        """Rows of the whole circuit."""
        return self.capacity * (self.rule + self.unpacking) + self.commitment + self.outputs

    @property
    def per_reading(self) -> float:
        """Rows for each reading, everything included."""
        return self.total / self.capacity

    def table(self) -> str:
        """Return the cost as a text: the project's lines, then the rest, then the sum."""
        room = self.capacity
        rows = [(f"{Path(one.file).name}:{one.line}", one.rows * room, one.text)
                for one in self.lines]  # fmt: skip
        rows += [
            ("fields", self.unpacking * room, "words taken apart, every field's range checked"),
            ("commitment", self.commitment, "readings tied to the field root"),
            ("outputs", self.outputs, "totals over all readings, outputs, evaluation"),
        ]
        wide = max(len(place) for place, _, _ in rows)
        head = f"{'line':<{wide}}  {'rows':>9}  {'a reading':>9}  source"
        body = [
            f"{place:<{wide}}  {count:>9,}  {count / room:>9.1f}  {text}"
            for place, count, text in rows
        ]
        last = f"{'total':<{wide}}  {self.total:>9,}  {self.per_reading:>9.1f}  {room} readings"
        return "\n".join([head, *body, last])


class _Counting(Trace):
    """A trace that notes which line of the project each row comes from."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.rows: Counter[tuple[str, int]] = Counter()
        self.others = 0

    def require(self, left: Linear | int, right: Linear | int, result: Linear | int) -> None:
        """Constrain left · right = result, and count the row."""
        super().require(left, right, result)
        place = line_here() if is_running() else None
        if place is None:
            self.others += 1
        else:
            self.rows[place] += 1


def cost(built: Built) -> Cost:
    """Return what a rule costs."""
    trace = _Counting("cost")
    built.traced(trace)
    circuit = built.assembled().circuit
    sizes: Counter[str] = Counter()
    for block in circuit.blocks:
        sizes[block.template.name] += len(block.inputs) * len(block.template.rows)
    rule = sizes.pop(f"rule {built.rule.name}")
    outputs = sum(rows for name, rows in sizes.items() if name in OUTPUTS)
    own = sum(trace.rows.values())
    capacity = built.rule.capacity
    return Cost(
        capacity=capacity,
        lines=tuple(
            LineCost(file, line, linecache.getline(file, line).strip(), rows)
            for (file, line), rows in sorted(trace.rows.items())
        ),
        unpacking=rule // capacity - own,
        commitment=sum(sizes.values()) - outputs,
        outputs=outputs,
    )
