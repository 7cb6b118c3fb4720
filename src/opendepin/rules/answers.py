"""What outputs mean: pure functions from a description and a proof's outputs to exact answers.

In: a `Description`, which is data and travels with the program, and the outputs of a settled task.
Out: one `Answer` for each figure and group. Everything here can be recomputed by anyone from
outputs alone; answers are exact fractions, and a text rounds down to the figure's decimals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor

import msgspec

from opendepin.core.errors import Rejected

FORMULAS = {
    "count": "count",
    "total": "sum + low × count",
    "mean": "sum / count + low",
    "variance": "(count × squares − sum²) / count²",
    "smallest": "smallest + low where count > 0",
    "largest": "largest + low where count > 0",
    "histogram": "bins",
    "quantile": "the first bin up to which bins add up to share × all, rounded up",
    "top": "labels by falling count or sum, equals by the earlier label",
    "ratio": "above / below where below > 0",
}
"""How each kind of figure follows from its outputs."""


@dataclass(frozen=True)
class OutputInfo:
    """One number that a proof covers."""

    name: str
    unit: str
    scale: int
    """The output is its value × 10**scale."""
    maximum: int
    fold: str
    """`sum`, `largest` or `smallest`: how it comes from all readings."""


@dataclass(frozen=True)
class FigureInfo:
    """One name of a rule's result, and which outputs it follows from."""

    name: str
    kind: str
    groups: tuple[str, ...]
    outputs: dict[str, tuple[int, ...]]
    """Role → output numbers, by group, and within a group by bin."""
    unit: str
    scale: int
    low: int
    """What was taken off each value before it went into an output."""
    bins: tuple[str, ...]
    edges: tuple[int, ...]
    parameter: str
    """The share of a quantile, the places of a top."""
    by_device: bool
    """Whether group i is the device with index i."""
    sides: tuple[tuple[int, int], ...]
    """Of a ratio, `low` and decimals of what is above and of what is below."""

    @property
    def formula(self) -> str:
        """How its answers follow from its outputs."""
        return FORMULAS[self.kind]


@dataclass(frozen=True)
class Description:
    """All outputs and figures of a rule; what pages and `depin run` show results by."""

    outputs: tuple[OutputInfo, ...]
    figures: tuple[FigureInfo, ...]

    def to_json(self) -> bytes:
        """Return the description as JSON, always the same bytes for the same rule."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_json(cls, text: bytes) -> Description:
        """Read a description.

        Raises:
            Rejected: code `rule-description`, no description.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise Rejected(f"no description of outputs: {error}", code="rule-description") from None

    def merged(self, results: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Return the outputs over all readings of several segments, each with its outputs.

        A smallest or largest output counts where its figure counts anything at all.
        """
        counts = {
            output: count
            for figure in self.figures
            for role in ("smallest", "largest")
            for output, count in zip(
                figure.outputs.get(role, ()), figure.outputs.get("count", ()), strict=False
            )
        }
        found: list[int] = []
        for at, info in enumerate(self.outputs):
            there = [each[at] for each in results if at not in counts or each[counts[at]]]
            fold = {"sum": sum, "largest": max, "smallest": min}[info.fold]
            found.append(fold(there) if there else 0)
        return tuple(found)

    def answers(self, outputs: Sequence[int]) -> list[Answer]:
        """Return what these outputs say.

        Raises:
            Rejected: code `rule-description`, another number of outputs.
        """
        if len(outputs) != len(self.outputs):
            text = f"{len(outputs)} outputs where the rule has {len(self.outputs)}"
            raise Rejected(text, code="rule-description")
        return [answer for figure in self.figures for answer in _answers(figure, outputs)]


@dataclass(frozen=True)
class Answer:
    """What one figure says of one group."""

    figure: str
    group: str
    """The group's label, empty where a figure has none; for a bin, group and bin."""
    value: Fraction | None
    """None where nothing was counted."""
    text: str
    unit: str


def _answers(figure: FigureInfo, outputs: Sequence[int]) -> Iterator[Answer]:
    if figure.kind == "top" and not figure.bins:
        values = [_one(figure, outputs, at) for at in range(len(figure.groups))]
        yield from _ranked(figure, "", figure.groups, values)
        return
    for at, group in enumerate(figure.groups):
        if figure.kind == "histogram":
            for name, number in zip(figure.bins, _bins(figure, outputs, at), strict=True):
                yield _answer(figure, _joined(group, name), Fraction(number), scale=0, unit="")
        elif figure.kind == "top":
            values = [Fraction(number) for number in _bins(figure, outputs, at)]
            yield from _ranked(figure, group, figure.bins, [*values])
        elif figure.kind == "quantile":
            yield _quantile(figure, group, _bins(figure, outputs, at))
        else:
            yield _answer(figure, group, _one(figure, outputs, at))


def _one(figure: FigureInfo, outputs: Sequence[int], at: int) -> Fraction | None:
    """Return the answer of one group, in units."""
    found = {role: outputs[numbers[at]] for role, numbers in figure.outputs.items()
             if len(numbers) == len(figure.groups)}  # fmt: skip
    unit, count = Fraction(1, 10**figure.scale), found.get("count", 0)
    if figure.kind == "count" or (figure.kind == "top" and "sum" not in found):
        return Fraction(count)
    if figure.kind in ("total", "top"):
        return (found["sum"] + figure.low * count) * unit
    if figure.kind == "ratio":
        return _ratio(figure, found)
    if not count:
        return None
    if figure.kind == "mean":
        return (Fraction(found["sum"], count) + figure.low) * unit
    if figure.kind == "variance":
        spread = count * found["squares"] - found["sum"] ** 2
        return Fraction(spread, count**2) * unit**2
    return (found[figure.kind] + figure.low) * unit


def _ratio(figure: FigureInfo, found: dict[str, int]) -> Fraction | None:
    def side(name: str, low: int, scale: int) -> Fraction:
        count = found.get(f"{name}.count", 0)
        whole = found.get(f"{name}.sum", count)
        return Fraction(whole + low * count, 10**scale)

    (above_low, above_scale), (below_low, below_scale) = figure.sides
    below = side("below", below_low, below_scale)
    return side("above", above_low, above_scale) / below if below else None


def _bins(figure: FigureInfo, outputs: Sequence[int], at: int) -> list[int]:
    size = len(figure.bins)
    return [outputs[number] for number in figure.outputs["bins"][at * size : (at + 1) * size]]


def _quantile(figure: FigureInfo, group: str, bins: Sequence[int]) -> Answer:
    rank = ceil(Fraction(figure.parameter) * sum(bins))
    if not rank:
        return Answer(figure.name, group, None, "none", figure.unit)
    place = next(at for at, seen in enumerate(accumulate(bins)) if seen >= rank)
    low = Fraction(figure.edges[place - 1], 10**figure.scale) if place else None
    return Answer(figure.name, group, low, figure.bins[place], figure.unit)


def _ranked(
    figure: FigureInfo, group: str, labels: Sequence[str], values: Sequence[Fraction | None]
) -> Iterator[Answer]:
    pairs = [(value, label) for value, label in zip(values, labels, strict=True) if value]
    ordered = sorted(pairs, key=lambda pair: -pair[0])
    for rank, (value, label) in enumerate(ordered[: int(figure.parameter)], 1):
        name = _joined(group, f"{rank}")
        amount = decimal(value, 0 if figure.bins else figure.scale)
        yield Answer(figure.name, name, value, f"{label} ({amount})", figure.unit)


def _answer(
    figure: FigureInfo,
    group: str,
    value: Fraction | None,
    scale: int | None = None,
    unit: str | None = None,
) -> Answer:
    scale = figure.scale if scale is None else scale
    if figure.kind in ("variance", "ratio"):
        scale = 2 * scale + 2 * (figure.kind == "ratio")
    text = "none" if value is None else decimal(value, scale)
    return Answer(figure.name, group, value, text, figure.unit if unit is None else unit)


def decimal(value: Fraction, scale: int) -> str:
    """Write a fraction with some decimals, rounded down."""
    whole = floor(value * 10**scale)
    sign, digits = "-" * (whole < 0), str(abs(whole)).rjust(scale + 1, "0")
    return sign + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def _joined(group: str, name: str) -> str:
    return f"{group}.{name}" if group else name
