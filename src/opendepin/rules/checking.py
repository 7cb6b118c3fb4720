"""Look at a finished circuit before keys are made: does every wire stand in a row, does anything
move while the readings stand still, is a changed output refused?

In: a `Built`. Out: findings, or silence. The look is at a small circuit of the same rule (all
components but the tree's size are the same) and at witnesses for edge values of every field. The
constraints alone are looked at, never how the language made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from opendepin.core.encodings import sha256
from opendepin.core.journey import Reading
from opendepin.core.schema import Schema
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.assembly import Assembled, assemble
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.solver import follow, solve
from opendepin.proofs.zk.trace import Combination
from opendepin.rules.building import Built
from opendepin.rules.errors import NotProven

SMALL = 4
"""Readings of the circuit that is looked at."""

STATEMENT = (1 << 247) + 5
"""Any statement; the outputs' evaluation at it is public."""


@dataclass(frozen=True)
class Forgery:
    """One output that was changed, and what became of it."""

    output: str
    honest: int
    forged: int
    refused_by: str | None
    """The first broken row, as component, instance and number; None if nothing is broken."""


class Rows:
    """A circuit's rows over its own wires."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.names: list[str] = []
        self.rows: list[tuple[Combination, Combination, Combination]] = []
        for block in circuit.blocks:
            for instance in range(len(block.inputs)):
                ids = block.wires(instance)
                for number, row in enumerate(block.template.rows):
                    left, right, result = (
                        tuple((ids[wire], factor) for wire, factor in terms) for terms in row
                    )
                    self.names.append(f"{block.template.name} {instance}, row {number}")
                    self.rows.append((left, right, result))

    @cached_property
    def of_wire(self) -> dict[int, list[int]]:
        """Wire → rows it stands in."""
        found: dict[int, list[int]] = {}
        for number, row in enumerate(self.rows):
            for wire in {wire for terms in row for wire, _ in terms}:
                found.setdefault(wire, []).append(number)
        return found

    def unheld(self) -> list[int]:
        """Return wires that stand in no row: anything may stand there."""
        return [wire for wire in range(1, self.circuit.wires) if wire not in self.of_wire]

    def broken(self, wires: Sequence[int], changed: Iterable[int]) -> str | None:
        """Return the first row that does not hold among those in which changed wires stand."""
        touched = {number for wire in changed for number in self.of_wire.get(wire, ())}
        for number in sorted(touched):
            left, right, result = (_value(terms, wires) for terms in self.rows[number])
            if (left * right - result) % FIELD_MODULUS:
                return self.names[number]
        return None

    def moving(self, wires: Sequence[int], known: Iterable[int]) -> set[int]:
        """Return wires that may move while the known ones stand still, to first order at this
        witness.

        Each row a·b = c says b·da + a·db = dc. A wire stands still once a row leaves nothing else
        to move; what never comes to stand is free. A wire that is used but under-determined shows
        here, also where a change of it alone would break a row.
        """
        still = {0, *known}
        open_rows = [self._slopes(number, wires) - still for number in range(len(self.rows))]
        rows_of: dict[int, list[int]] = {}
        for number, row in enumerate(open_rows):
            for wire in row:
                rows_of.setdefault(wire, []).append(number)
        ready = [number for number, row in enumerate(open_rows) if len(row) == 1]
        while ready:
            for wire in list(open_rows[ready.pop()]):
                still.add(wire)
                for number in rows_of.pop(wire, ()):
                    open_rows[number].discard(wire)
                    if len(open_rows[number]) == 1:
                        ready.append(number)
        return set(range(self.circuit.wires)) - still

    def _slopes(self, number: int, wires: Sequence[int]) -> set[int]:
        left, right, result = self.rows[number]
        a, b = _value(left, wires), _value(right, wires)
        slope: dict[int, int] = {}
        for terms, by in ((left, b), (right, a), (result, -1)):
            for wire, factor in terms:
                slope[wire] = (slope.get(wire, 0) + factor * by) % FIELD_MODULUS
        return {wire for wire, factor in slope.items() if factor}


def check(built: Built, readings: Sequence[Reading] = ()) -> None:
    """Refuse a rule whose circuit leaves anything open; looks at these readings and at edge values.

    Raises:
        NotProven: a wire in no row, a wire that may move, or an output that can be changed.
    """
    small = _small(built)
    rows = Rows(small.circuit)
    if loose := rows.unheld():
        raise NotProven(f"{len(loose)} wires stand in no row of the circuit, first {loose[0]}")
    for some in _witnesses(built, readings):
        wires = solve(small.circuit, small.given(some), {"statement": STATEMENT})
        if (broken := rows.broken(wires, range(small.circuit.wires))) is not None:
            raise NotProven(f"readings that the schema lets through have no proof: {broken}")
        known = {small.circuit.public_wire("statement"), *small.circuit.given}
        if moving := rows.moving(wires, known):
            raise NotProven(
                f"{len(moving)} wires are no function of the readings, first {min(moving)}"
            )
        for forgery in _forged(built, small, rows, wires):
            if forgery.refused_by is None:
                raise NotProven(
                    f"output {forgery.output} may be {forgery.forged} for {forgery.honest}"
                )


def forgeries(built: Built, readings: Sequence[Reading]) -> list[Forgery]:
    """Change every output of these readings in some ways, and say which row refuses it.

    The evaluation that the contract compares with follows the change, so it is the rule's own rows
    that must refuse. Looks at the first `SMALL` readings.
    """
    small = _small(built)
    wires = solve(small.circuit, small.given(readings[:SMALL]), {"statement": STATEMENT})
    return _forged(built, small, Rows(small.circuit), wires)


def edge_readings(schema: Schema, count: int, seed: int = 0) -> list[Reading]:
    """Return readings that a schema lets through: least, largest, then scattered values."""
    found: list[Reading] = []
    for number in range(count):
        drawn = _Drawn(seed, number)
        values: list[int] = []
        for field in schema.fields[1:]:
            values += [drawn.within(field.minimum, field.maximum) for _ in range(field.length)]
        observed = schema.fields[0]
        time = drawn.within(observed.minimum, observed.maximum)
        found.append(Reading(drawn.within(0, 255), drawn.within(0, 1 << 30), time, tuple(values)))
    return found


class _Drawn:
    """Numbers that are the same at every run: edges for the first two readings, then hashes."""

    def __init__(self, seed: int, reading: int) -> None:
        self._seed, self._reading, self._count = seed, reading, 0

    def within(self, low: int, high: int) -> int:
        """Return the next number of low..high."""
        if self._seed == 0 and self._reading < 2:
            return (low, high)[self._reading]
        self._count += 1
        text = f"{self._seed}/{self._reading}/{self._count}".encode()
        return low + int.from_bytes(sha256(text), "big") % (high - low + 1)


def _witnesses(built: Built, readings: Sequence[Reading]) -> list[Sequence[Reading]]:
    given = [readings[:SMALL]] if readings else []
    schema = built.rule.schema
    return [
        *given,
        edge_readings(schema, SMALL),
        edge_readings(schema, SMALL - 1, seed=1),
        edge_readings(schema, 1),
    ]


def _small(built: Built) -> Assembled:
    return assemble(built.rule.resized(SMALL))


def _forged(built: Built, small: Assembled, rows: Rows, honest: Sequence[int]) -> list[Forgery]:
    circuit = small.circuit
    last = next(block for block in circuit.blocks if block.template.name == "evaluation")
    moved = [*range(last.base, last.base + last.template.wires)]
    moved += [target for target, _ in circuit.copies]
    found: list[Forgery] = []
    numbers = zip(built.description.outputs, small.program.outputs, small.maxima, strict=True)
    for info, wire, maximum in numbers:
        value = honest[wire]
        for forged in sorted({value + 1, max(value - 1, 0), 0, maximum} - {value}):
            wires = list(honest)
            wires[wire] = forged
            follow(circuit, wires, "evaluation")
            found.append(Forgery(info.name, value, forged, rows.broken(wires, (wire, *moved))))
    return found


def _value(terms: Combination, wires: Sequence[int]) -> int:
    return sum(factor * wires[wire] for wire, factor in terms) % FIELD_MODULUS
