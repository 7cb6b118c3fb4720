"""The language of rules: checked values of one reading, and outputs folded over all readings.

A rule is an ordinary function `compute(reading) -> [Output, ...]`, run once on integers per reading
(`integers.py`) and traced once into constraints (`constraints.py`). Its values and their promises
are in `values.py`. Everything an output counts hangs on `reading.present`: what stands in the
padding of a circuit can never reach a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from opendepin.proofs.zk.machine import Handle
from opendepin.proofs.zk.values import (
    Bit,
    Field,
    OneHot,
    Present,
    Ranged,
    Reading,
    Shifted,
    count_where,
    extremes_where,
    handle_of,
    one_hot,
    poseidon,
    ranged,
    select,
    total_where,
)

__all__ = [
    "Bit", "Field", "Fold", "OneHot", "Output", "Present", "Ranged", "Reading", "Shifted", "count",
    "count_where", "counts", "extremes_where", "largest", "one_hot", "poseidon", "ranged",
    "select", "smallest", "total", "total_where", "totals",
]  # fmt: skip


class Fold(Enum):
    """How one output comes from all readings."""

    SUM = "sum"
    LARGEST = "largest"
    SMALLEST = "smallest"


@dataclass(frozen=True)
class Output:
    """One number of the result, folded over all readings."""

    fold: Fold
    contribution: Handle
    present: Handle
    """The bit of the reading's group: a largest or smallest value is 0 if it is never set."""
    maximum: int
    """Largest contribution of one reading."""


def count(bit: Present) -> Output:
    """Count the readings whose bit is 1; no row per reading."""
    return Output(Fold.SUM, handle_of(bit), handle_of(bit), 1)


def counts(groups: OneHot) -> list[Output]:
    """Count the readings of each group."""
    return [count(bit) for bit in groups]


def total(bit: Present, value: Ranged) -> Output:
    """Add up the values of the readings whose bit is 1; 1 row per reading."""
    machine = bit.machine
    return Output(
        Fold.SUM, machine.product(handle_of(bit), handle_of(value)), handle_of(bit), value.maximum
    )


def totals(groups: OneHot, value: Ranged) -> list[Output]:
    """Add up the values of each group."""
    return [total(bit, value) for bit in groups]


def largest(groups: OneHot, value: Ranged) -> list[Output]:
    """Find each group's largest value, 0 if it has none; 2 · groups + n + 3 rows per reading."""
    return _extreme(Fold.LARGEST, groups, value)


def smallest(groups: OneHot, value: Ranged) -> list[Output]:
    """Find each group's smallest value, 0 if it has none; 2 · groups + n + 3 rows per reading."""
    return _extreme(Fold.SMALLEST, groups, value)


def _extreme(fold: Fold, groups: OneHot, value: Ranged) -> list[Output]:
    machine = groups.machine
    bits = [handle_of(bit) for bit in groups]
    find = machine.largest if fold is Fold.LARGEST else machine.smallest
    found = find(bits, handle_of(value), value.bits)
    return [
        Output(fold, handle, bit, value.maximum) for handle, bit in zip(found, bits, strict=True)
    ]
