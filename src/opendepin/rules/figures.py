"""Figures: what a rule says of all readings, each made of outputs that the proof covers.

A count, total, smallest or largest is an output. Mean, variance, quantile, top and ratio are exact
functions of outputs, computed by whoever reads them (`answers.py`): no proof divides. A figure of
groups has one answer a group.
"""

# Projects call this without a type checker: what they give is looked at here.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from opendepin.proofs.zk.language import Fold, Output
from opendepin.proofs.zk.machine import Handle
from opendepin.rules.choices import Choice
from opendepin.rules.constants import scaled
from opendepin.rules.groups import Groups, chosen_readings
from opendepin.rules.numbers import Flag, Number, text_of
from opendepin.rules.packs import Pack, numbers_of
from opendepin.rules.session import Session
from opendepin.rules.traps import refuse

MAX_EDGES = 64
"""Most edges of a histogram."""

KEPT_APART = 3
"""With so many constants to compare with, taking the value apart once is cheaper."""

By = Groups | Choice | None
Where = Flag | Pack | None


@dataclass(frozen=True, eq=False)
class Part:
    """One output of a figure."""

    output: Output
    role: str
    label: str
    """Group and bin, with a dot between."""
    unit: str = ""
    scale: int = 0


@dataclass(frozen=True, eq=False)
class Figure:
    """What one name of the rule's result stands for."""

    kind: str
    groups: tuple[str, ...]
    parts: dict[str, tuple[Part, ...]]
    """Role → outputs, by group and within a group by bin."""
    unit: str = ""
    scale: int = 0
    low: int = 0
    """What is taken off each value before it is added up or compared; 0 unless negative."""
    bins: tuple[str, ...] = ()
    edges: tuple[int, ...] = ()
    parameter: str = ""
    by_device: bool = False
    of: tuple[Figure, ...] = field(default=())


def count(where: Where = None, by: By = None) -> Figure:
    """Count readings, or the values of a pack whose condition holds; no row unless `where` or a
    pack is given: then one a group.
    """
    groups, flags = chosen_readings(by, where)
    parts = {"count": _counts(groups, flags, None)}
    return Figure("count", groups.labels, parts, by_device=groups.devices)


def total(value: Number | Pack, where: Where = None, by: By = None) -> Figure:
    """Add up values; 1 row a group, and 1 a value of a pack that is filtered."""
    over = _Values(value, where, by, "total()")
    parts = {"sum": over.sums(1)}
    if over.low:
        parts["count"] = over.counts()
    return over.figure("total", parts)


def mean(value: Number | Pack, where: Where = None, by: By = None) -> Figure:
    """Return the exact mean, as total and count; none where nothing is counted."""
    over = _Values(value, where, by, "mean()")
    return over.figure("mean", {"sum": over.sums(1), "count": over.counts()})


def variance(value: Number | Pack, where: Where = None, by: By = None) -> Figure:
    """Return the exact variance (of the population); 1 row a value and 2 a group."""
    over = _Values(value, where, by, "variance()")
    parts = {"sum": over.sums(1), "squares": over.sums(2), "count": over.counts()}
    unit = f"({over.unit})²" if over.unit else ""
    return replace(over.figure("variance", parts), unit=unit)


def smallest(value: Number | Pack, where: Where = None, by: By = None) -> Figure:
    """Find the smallest value; none where nothing is counted. Bits + 2 rows and 2 a group."""
    over = _Values(value, where, by, "smallest()")
    parts = {"smallest": over.extremes(Fold.SMALLEST), "count": over.counts()}
    return over.figure("smallest", parts)


def largest(value: Number | Pack, where: Where = None, by: By = None) -> Figure:
    """Find the largest value; none where nothing is counted. Bits + 2 rows and 2 a group."""
    over = _Values(value, where, by, "largest()")
    parts = {"largest": over.extremes(Fold.LARGEST), "count": over.counts()}
    return over.figure("largest", parts)


def histogram(
    value: Number | Pack, edges: Sequence[object], where: Where = None, by: By = None
) -> Figure:
    """Count values between ascending edges: below the first, from each edge to the next, from the
    last on. About bits / 2 rows an edge, one more a group and edge.
    """
    over = _Values(value, where, by, "histogram()")
    if not 1 <= len(edges) <= MAX_EDGES:
        refuse(f"a histogram has 1 to {MAX_EDGES} edges, not {len(edges)}", "fewer edges")
    bounds = [scaled(edge, over.scale, "the value") for edge in edges]
    if bounds != sorted(set(bounds)):
        refuse("a histogram's edges ascend", "edges=[10, 20, 50]")
    shown = [text_of(bound, over.scale) for bound in bounds]
    bins = (
        f"<{shown[0]}",
        *(f"{low}..{high}" for low, high in pairwise(shown)),
        f">={shown[-1]}",
    )
    figure = over.figure("histogram", {"bins": over.bins(edges, bins)})
    return replace(figure, bins=bins, edges=tuple(bounds))


def quantile(of: Figure, share: object) -> Figure:
    """Return in which bin of a histogram the value lies that a share of all values does not
    exceed; no row: a function of the histogram's outputs.
    """
    if not isinstance(of, Figure) or of.kind != "histogram":
        refuse("a quantile is read off a histogram", "quantile(histogram(value, edges), '0.5')")
    part = Decimal(share) if isinstance(share, Decimal | str | int) else None
    if part is None or not 0 < part <= 1:
        refuse(f"{share!r} is no share of 0 to 1", 'quantile(bins, Decimal("0.95"))')
    return replace(of, kind="quantile", parameter=str(part), of=(of,))


def top(of: Figure, places: int) -> Figure:
    """Return the labels of the largest counts or totals, at most `places`; of equals the earlier
    label. No row: a function of outputs.
    """
    if not isinstance(of, Figure) or of.kind not in ("count", "total", "histogram"):
        refuse("top() ranks counts or totals of groups, or the bins of a histogram",
               "top(count(by=region), 3)")  # fmt: skip
    if len(of.groups) == 1 and not of.bins:
        refuse("top() needs groups to rank", "top(count(by=region), 3)")
    if type(places) is not int or places < 1:
        refuse("top() takes a constant number of places", "top(count(by=region), 3)")
    return replace(of, kind="top", parameter=str(places), of=(of,))


def ratio(above: Figure, below: Figure) -> Figure:
    """Return the exact quotient of two counts or totals; none where the lower is 0. No row."""
    for figure in (above, below):
        if not isinstance(figure, Figure) or figure.kind not in ("count", "total"):
            refuse("ratio() divides counts and totals", "ratio(total(a), total(b))")
    if above.groups != below.groups:
        refuse("ratio() of figures with other groups", "one by= for both")
    unit = "" if above.unit == below.unit else f"{above.unit or '1'}/{below.unit or '1'}"
    parts = {
        **{f"above.{role}": parts for role, parts in above.parts.items()},
        **{f"below.{role}": parts for role, parts in below.parts.items()},
    }
    return Figure("ratio", above.groups, parts, unit, max(above.scale, below.scale),
                  of=(above, below))  # fmt: skip


class _Values:
    """The values a figure is made of: a number, or a pack with a condition for each."""

    def __init__(self, value: Number | Pack, where: Where, by: By, what: str) -> None:
        self.items = numbers_of(value, what)
        self.packed = isinstance(value, Pack)
        self.groups, self.flags = chosen_readings(by, where)
        self._key = value, where, by
        if self.flags is not None and len(self.flags) != len(self.items):
            refuse(
                f"{len(self.flags)} conditions for {len(self.items)} values",
                "a pack of conditions for a pack of values of one length",
            )
        first = self.items[0]
        self.scale, self.unit = first.scale, first.unit
        self.low = min(0, *(item.low for item in self.items))
        self.reach = max(item.high for item in self.items) - self.low

    @property
    def session(self) -> Session:
        """The run they belong to."""
        return self.groups.session

    def figure(self, kind: str, parts: dict[str, tuple[Part, ...]]) -> Figure:
        """Return a figure of these values."""
        labels, devices = self.groups.labels, self.groups.devices
        return Figure(kind, labels, parts, self.unit, self.scale, self.low, by_device=devices)

    def counts(self) -> tuple[Part, ...]:
        """Count the values of each group."""
        return _counts(self.groups, self.flags, len(self.items) if self.packed else None)

    def sums(self, power: int) -> tuple[Part, ...]:
        """Add up the values of each group, each less `low`, or their squares."""
        return self.session.once(f"sums {power}", self._key, lambda: self._sums(power))

    def _sums(self, power: int) -> tuple[Part, ...]:
        product = self.session.machine.product
        inner: Handle = 0
        for number, item in enumerate(self.items):
            shifted = item - text_number(self.low, item)
            handle = (shifted**power).handle
            inner = inner + (product(self.flags[number].handle, handle) if self.flags else handle)
        role, most = ("sum", "squares")[power - 1], len(self.items) * self.reach**power
        unit = self.unit if power == 1 else f"({self.unit})²"
        return tuple(
            Part(Output(Fold.SUM, product(bit, inner), 0, most), role, label, unit,
                 self.scale * power)
            for label, bit in zip(self.groups.labels, self.groups.bits, strict=True)
        )  # fmt: skip

    def extremes(self, fold: Fold) -> tuple[Part, ...]:
        """Find the smallest or the largest of each group, less `low`; 0 where there is none."""
        machine, groups = self.session.machine, self.groups
        bits = max(1, self.reach.bit_length())
        if self.packed:
            pair = self.session.once("extremes", self._key[:2], lambda: self._in_pack(bits))
            value = pair[0] if fold is Fold.SMALLEST else pair[1]
        else:
            value = self.items[0].handle - self.low
        present = [part.output.contribution for part in self.counts()]
        find = machine.smallest if fold is Fold.SMALLEST else machine.largest
        found = find([*groups.bits], value, bits)
        return tuple(
            Part(Output(fold, handle, bit, (1 << bits) - 1), fold.value, label, self.unit,
                 self.scale)
            for label, handle, bit in zip(groups.labels, found, present, strict=True)
        )  # fmt: skip

    def _in_pack(self, bits: int) -> tuple[Handle, Handle]:
        gates = [flag.handle for flag in self.flags] if self.flags else [1] * len(self.items)
        values = [item.handle - self.low for item in self.items]
        return self.session.machine.extremes(gates, values, bits)

    def bins(self, edges: Sequence[object], bins: Sequence[str]) -> tuple[Part, ...]:
        """Count the values of each group in each bin."""
        product = self.session.machine.product
        if len(edges) >= KEPT_APART:
            for item in self.items:
                item.taken_apart()
        below: list[Handle] = []
        for edge in edges:
            flags = [(item < edge).handle for item in self.items]
            if self.flags:
                pairs = zip(self.flags, flags, strict=True)
                flags = [product(flag.handle, handle) for flag, handle in pairs]
            below.append(sum(flags, start=0))
        found: list[Part] = []
        whole = self.counts()
        for group, label in enumerate(self.groups.labels):
            bit = self.groups.bits[group]
            steps = [product(bit, handle) for handle in below]
            ends = [*steps, whole[group].output.contribution]
            for name, low, high in zip(bins, [0, *steps], ends, strict=True):
                output = Output(Fold.SUM, high - low, 0, len(self.items))
                found.append(Part(output, "bins", f"{label}.{name}" if label else name))
        return tuple(found)


def text_number(value: int, like: Number) -> Number:
    """Return a constant with the decimals of a number, from its integer."""
    return Number(like.session, value, value, value, like.scale)


def _counts(groups: Groups, flags: list[Flag] | None, each: int | None) -> tuple[Part, ...]:
    """Count readings (`each` None), all values of packs, or those whose condition holds."""
    session = groups.session
    key = (groups, each, *(flags or ()))
    return session.once("count", key, lambda: _made_counts(groups, flags, each))


def _made_counts(groups: Groups, flags: list[Flag] | None, each: int | None) -> tuple[Part, ...]:
    product = groups.session.machine.product
    inner: Handle = 1 if each is None else each
    most = 1 if each is None else each
    if flags is not None:
        inner, most = 0, len(flags)
        for flag in flags:
            inner = inner + flag.handle
    return tuple(
        Part(Output(Fold.SUM, product(bit, inner), 0, most), "count", label)
        for label, bit in zip(groups.labels, groups.bits, strict=True)
    )
