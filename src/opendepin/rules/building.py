"""Build a project's rule: run its `compute` on the language, name what comes out, trace it once.

In: a schema and a function `compute(reading) -> {name: figure}`. Out: a `Built`, which gives the
circuit, the outputs over any readings on integers, and the description that says what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from opendepin.core.journey import Reading as Decoded
from opendepin.core.limits import MAX_OUTPUTS
from opendepin.core.schema import Schema
from opendepin.proofs.zk import language as zk
from opendepin.proofs.zk.assembly import Assembled, assemble
from opendepin.proofs.zk.constraints import TracedRule, traced
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.trace import Trace
from opendepin.rules.answers import Answer, Description, FigureInfo, OutputInfo
from opendepin.rules.errors import RuleRejected
from opendepin.rules.figures import Figure, Part
from opendepin.rules.reading import Labels, Reading, read
from opendepin.rules.session import running

Compute = Callable[[Reading], Mapping[str, Figure]]
"""What a project writes."""


@dataclass(frozen=True)
class Laid:
    """A rule's figures as outputs in one order."""

    outputs: tuple[zk.Output, ...]
    infos: tuple[OutputInfo, ...]
    figures: tuple[FigureInfo, ...]


@dataclass(frozen=True)
class Built:
    """A project's rule, ready to be computed, proven, priced and checked."""

    rule: Rule
    description: Description

    def assembled(self) -> Assembled:
        """Return the circuit; built once for the same rule."""
        return assemble(self.rule)

    def traced(self, trace: Trace) -> TracedRule:
        """Trace the rule for one reading on a trace of the caller's."""
        return traced(self.rule, trace)

    def outputs(self, readings: Sequence[Decoded]) -> tuple[int, ...]:
        """Return the outputs over some readings, on integers.

        Raises:
            ReadingsRejected: more readings than the capacity, or one outside the schema.
        """
        return outputs(self.rule, readings)

    def answers(self, readings: Sequence[Decoded]) -> list[Answer]:
        """Return what the rule says of some readings."""
        return self.description.answers(self.outputs(readings))

    def pay(self, name: str) -> tuple[int, int]:
        """Return offset and number of the outputs that count payable units by device index.

        Raises:
            RuleRejected: the figure does not count whole units of each device.
        """
        for figure in self.description.figures:
            if figure.name == name:
                return _pay(figure)
        known = ", ".join(figure.name for figure in self.description.figures)
        raise RuleRejected(f"no figure is called {name!r}", f"one of: {known}")


def build(
    name: str, schema: Schema, capacity: int, compute: Compute, labels: Labels | None = None
) -> Built:
    """Build a rule; `labels` name the integers of enum fields.

    Raises:
        RuleRejected: the rule says what no proof can; points at its line.
    """
    named = {**(labels or {})}
    infos: list[Laid] = []

    def run(zk_reading: zk.Reading) -> Sequence[zk.Output]:
        session, reading = read(zk_reading, schema, named)
        with running(session):
            laid = lay_out(compute(reading))
        if infos and infos[0].figures != laid.figures:
            raise RuleRejected(
                "compute() gives other figures when it is run again",
                "the same names and groups for every reading, without chance and global state",
            )
        infos.append(Laid((), laid.infos, laid.figures))
        del infos[1:]
        return laid.outputs

    rule = Rule(name, schema, capacity, run)
    traced(rule)
    found = infos[0]
    outs = tuple(
        replace(info, maximum=info.maximum * (capacity if info.fold == zk.Fold.SUM.value else 1))
        for info in found.infos
    )
    return Built(rule, Description(outs, found.figures))


def lay_out(result: object) -> Laid:
    """Put the outputs of all figures in one order, each output once.

    Raises:
        RuleRejected: no figures, too many outputs, or something else than figures.
    """
    given: Mapping[object, object] = {}
    if isinstance(result, Mapping):
        given = cast(Mapping[object, object], result)
    if not given:
        raise RuleRejected(
            f"compute() returned {_kind(result)}, not names with figures",
            'return {"mean": mean(value), "count": count()}',
        )
    numbers: dict[int, int] = {}
    parts: list[Part] = []
    infos: list[OutputInfo] = []
    figures: list[FigureInfo] = []
    for name, figure in given.items():
        checked = _named(name, figure)
        placed: dict[str, tuple[int, ...]] = {}
        for role, some in checked.parts.items():
            for part in some:
                if id(part) not in numbers:
                    numbers[id(part)] = len(parts)
                    parts.append(part)
                    infos.append(_output_info(str(name), checked, part))
            placed[role] = tuple(numbers[id(part)] for part in some)
        figures.append(_info(str(name), checked, placed))
    if len(parts) > MAX_OUTPUTS:
        raise RuleRejected(
            f"the figures have {len(parts)} outputs, at most {MAX_OUTPUTS} are possible",
            "fewer groups or bins, or fewer figures by the same groups",
        )
    return Laid(tuple(part.output for part in parts), tuple(infos), tuple(figures))


def _named(name: object, figure: object) -> Figure:
    if not isinstance(name, str) or not name.isidentifier():
        raise RuleRejected(f"{name!r} is no name of a figure", "letters, digits and _, as 'mean'")
    if not isinstance(figure, Figure):
        raise RuleRejected(
            f"{name} is {_kind(figure)}, which is of one reading, not of all",
            "count(), total(), mean(), largest() … make a figure of a value",
        )
    return figure


def _output_info(name: str, figure: Figure, part: Part) -> OutputInfo:
    """Describe an output; its maximum is that of one reading."""
    alone = len(figure.parts) == 1 or part.role == figure.kind
    ends = [part.label] if alone else [part.label, part.role]
    full = ".".join([name, *(end for end in ends if end)])
    return OutputInfo(full, part.unit, part.scale, part.output.maximum, part.output.fold.value)


def _info(name: str, figure: Figure, placed: dict[str, tuple[int, ...]]) -> FigureInfo:
    return FigureInfo(
        name=name,
        kind=figure.kind,
        groups=figure.groups,
        outputs=placed,
        unit=figure.unit,
        scale=figure.scale,
        low=figure.low,
        bins=figure.bins,
        edges=figure.edges,
        parameter=figure.parameter,
        by_device=figure.by_device,
        sides=tuple((side.low, side.scale) for side in figure.of) if figure.kind == "ratio" else (),
    )


def _pay(figure: FigureInfo) -> tuple[int, int]:
    numbers = figure.outputs.get("count" if figure.kind == "count" else "sum", ())
    whole = figure.kind in ("count", "total") and figure.scale == 0 and figure.low == 0
    if not whole or not figure.by_device:
        raise RuleRejected(
            f"{figure.name} does not count whole units of each device",
            "count(by=reading.devices(n)) or total(units, by=reading.devices(n)), 0 decimals",
        )
    if list(numbers) != list(range(numbers[0], numbers[0] + len(numbers))):
        raise RuleRejected(
            f"the outputs of {figure.name} do not stand side by side",
            f"return {figure.name} before the figures that share its counts",
        )
    return numbers[0], len(numbers)


def _kind(value: Any) -> str:
    return f"a {type(value).__name__.lower()}" if value is not None else "nothing"
