"""What a rule sees of one reading: its fields as numbers, choices and packs with known ranges.

A field's range is its minimum and the most that its bits can hold above it, which is what the
circuit itself checks; the schema's own maximum is checked by gateways and attesters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from opendepin.core.schema import Field, Schema
from opendepin.proofs.zk import values as zk
from opendepin.proofs.zk.machine import Handle
from opendepin.rules.choices import Choice, of_index
from opendepin.rules.numbers import Flag, Number
from opendepin.rules.packs import Pack
from opendepin.rules.session import Session
from opendepin.rules.traps import refuse

Labels = Mapping[str, Sequence[str]]
"""Name of each enum field → what its integers stand for, from the field's minimum up."""


class Reading:
    """One reading: `reading["pm10"]`, `reading.device`, `reading.observed_s`, `reading.seq`."""

    __slots__ = ("_fields", "device", "observed_s", "seq")

    def __init__(self, session: Session, seen: zk.Reading, schema: Schema, labels: Labels) -> None:
        self.device = _lane(session, seen.device_index)
        """The device's index in the project, from 0."""
        self.observed_s = _lane(session, seen.observed_s, unit="s")
        """When the reading was observed, Unix seconds."""
        self.seq = _lane(session, seen.seq)
        """The device's sequence number."""
        self._fields: dict[str, Any] = {}
        for field in schema.fields[1:]:
            items = [_field(session, field, value, labels) for value in seen.values(field.name)]
            self._fields[field.name] = items[0] if field.length == 1 else Pack(items)

    def devices(self, names: int | Sequence[str]) -> Choice:
        """Return which device it is: of the first `names`, or of a list of names by index."""
        labels = [*map(str, range(names))] if isinstance(names, int) else [*names]
        return Choice(self.device, labels, range(len(labels)), devices=True)

    def __getitem__(self, name: str) -> Any:
        """Return a field: a `Number`, a `Choice` if it is an enum, a `Pack` if it is an array."""
        if name not in self._fields:
            known = ", ".join(map(repr, self._fields)) or "none"
            refuse(f"the schema has no field {name!r}", f"one of: {known}")
        return self._fields[name]

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(
            f"a reading has no {name!r}",
            f'reading["{name}"] for a field; reading.device, .observed_s, .seq, .devices(n)',
        )

    def __bool__(self) -> NoReturn:
        refuse("a reading is always there inside compute()", "where=condition on a figure")


def _field(
    session: Session, field: Field, value: zk.Ranged | zk.Shifted, labels: Labels
) -> Number | Choice:
    if field.kind != "enum":
        return _lane(session, value, field.scale, field.unit)
    integers = range(field.minimum, field.maximum + 1)
    names = [*labels.get(field.name, map(str, integers))]
    if len(names) != len(integers):
        refuse(
            f"{field.name} has {len(integers)} integers and {len(names)} labels",
            "one label for each integer from the field's minimum to its maximum",
        )
    return of_index(_lane(session, value) - field.minimum, names)


def _lane(
    session: Session, value: zk.Ranged | zk.Shifted, scale: int = 0, unit: str = ""
) -> Number:
    low = value.minimum if isinstance(value, zk.Shifted) else 0
    handle: Handle = value.handle
    return Number(session, handle, low, value.maximum, scale, unit, known_bits=True)


def read(zk_reading: zk.Reading, schema: Schema, labels: Labels) -> tuple[Session, Reading]:
    """Return the session of a run and what the rule sees in it."""
    session = Session(zk_reading.present.machine)
    session.present = Flag(session, zk_reading.present.handle)
    return session, Reading(session, zk_reading, schema, labels)
