"""A figure: a value that says its unit, when it held, where it comes from, and where it can be
checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opendepin.core.units import TOKEN, tokens


@dataclass(frozen=True)
class Moment:
    """When a figure held: an L1 block and its time."""

    block: int | None
    time: int | None
    """Unix seconds."""


@dataclass(frozen=True)
class Figure:
    """One figure as API and pages show it."""

    value: int | float | str | None
    """A number; a decimal string where exactness matters (money, scaled readings)."""
    unit: str
    as_of: Moment
    source: str
    """What of the network it was taken from, in words."""
    proof_url: str | None
    """Where it can be recomputed or looked up; None where nothing more basic exists."""

    def to_json(self) -> dict[str, Any]:
        """Return the API's form."""
        return {
            "value": self.value,
            "unit": self.unit,
            "as_of": {"block": self.as_of.block, "time": self.as_of.time},
            "source": self.source,
            "proof_url": self.proof_url,
        }


def scaled(value: int | None, scale: int) -> str | None:
    """Write a scaled integer as an exact decimal, with as many places as its scale has."""
    return None if value is None else f"{Decimal(value).scaleb(-scale):.{scale}f}"


def money(amount: int | str | None, as_of: Moment, source: str, proof_url: str | None) -> Figure:
    """Return an amount of wei as a figure in tokens."""
    return Figure(tokens(int(amount or 0)), TOKEN, as_of, source, proof_url)
