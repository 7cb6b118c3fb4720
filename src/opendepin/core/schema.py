"""A project's message schema: the integer fields that the `data` map of a message has.

Field key 1 is always `observed_s`; the others are the project's. All values are integers, or
arrays of exactly as many integers as the field says: decimals are scaled by `10**scale`, as the
manifest says, so a reading has one form everywhere, circuit included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from opendepin.core.encodings import cbor_encode, keccak256
from opendepin.core.errors import SchemaRejected
from opendepin.core.limits import MAX_FIELDS, MAX_LANES, MAX_OBSERVED_S

OBSERVED = 1
"""Key of the field that says when the reading was observed (Unix seconds)."""

KINDS = ("int", "enum")

MAX_VALUES = MAX_LANES - 2
"""Most values in `data`: device index and sequence number take two lanes."""

Value = int | list[int]
"""A field's value: an integer, or a list where the field is an array."""

Data = Mapping[int, Value]
"""Field key → value."""


@dataclass(frozen=True)
class Field:
    """One field of `data`."""

    key: int
    name: str
    minimum: int
    maximum: int
    unit: str = ""
    scale: int = 0
    """Decimal places: the integer is the value × 10**scale."""
    length: int = 1
    """Values of the field: 1 is a plain integer, more an array of exactly so many."""
    kind: str = "int"
    """`int`, or `enum` when the integers stand for labels; how it is shown, nothing else."""


@dataclass(frozen=True)
class Schema:
    """All fields of a project's `data` map, by ascending key; the first is `observed_s`."""

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        keys = [field.key for field in self.fields]
        if not 1 <= len(keys) <= MAX_FIELDS or keys[0] != OBSERVED or keys != sorted(set(keys)):
            raise SchemaRejected("fields need ascending keys that start with 1 = observed_s")
        observed = self.fields[0]
        if observed.minimum < 0 or observed.maximum > MAX_OBSERVED_S:
            raise SchemaRejected(f"observed_s lies in 0..{MAX_OBSERVED_S}")
        if any(field.minimum > field.maximum for field in self.fields):
            raise SchemaRejected("a field's minimum is above its maximum")
        if observed.length != 1 or any(field.length < 1 for field in self.fields):
            raise SchemaRejected("a field has one value or more, observed_s exactly one")
        if sum(field.length for field in self.fields) > MAX_VALUES:
            raise SchemaRejected(f"a reading has at most {MAX_VALUES} values in all")
        if any(field.kind not in KINDS for field in self.fields):
            raise SchemaRejected(f"a field's kind is one of {', '.join(KINDS)}")
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise SchemaRejected("two fields have the same name")

    def check(self, data: object) -> Data:
        """Return `data` when it has exactly the schema's fields, each value within its bounds.

        Raises:
            SchemaRejected: code `schema` with the first field that does not fit.
        """
        if not isinstance(data, Mapping):
            raise SchemaRejected("data is not a map")
        given = cast(Mapping[object, object], data)
        found: dict[int, Value] = {}
        for field in self.fields:
            found[field.key] = _checked(field, given.get(field.key))
        if len(found) != len(given):
            raise SchemaRejected("data has a field the schema does not know")
        return found

    def values(self, data: Data) -> tuple[int, ...]:
        """Return the values of checked data without `observed_s`, by ascending key, flattened."""
        found: list[int] = []
        for field in self.fields[1:]:
            value = data[field.key]
            if isinstance(value, int):
                found.append(value)
            else:
                found += value
        return tuple(found)

    def hash(self) -> bytes:
        """Return keccak of the deterministic CBOR of the fields; part of the manifest hash."""
        return keccak256(cbor_encode([list(row_of(field)) for field in self.fields]))


def row_of(field: Field) -> tuple[int, str, int, int, str, int, int, str]:
    """Return a field as manifests write it: in the order in which it is hashed."""
    head = (field.key, field.name, field.minimum, field.maximum)
    return (*head, field.unit, field.scale, field.length, field.kind)


def _checked(field: Field, value: object) -> Value:
    if field.length == 1:
        return _within(field, value)
    items = cast(list[object], value) if isinstance(value, list) else []
    if len(items) != field.length:
        raise SchemaRejected(
            f"field {field.key} ({field.name}) is missing or no array of {field.length}"
        )
    return [_within(field, item) for item in items]


def _within(field: Field, value: object) -> int:
    if type(value) is not int:
        raise SchemaRejected(f"field {field.key} ({field.name}) is missing or no integer")
    if not field.minimum <= value <= field.maximum:
        raise SchemaRejected(
            f"field {field.key} ({field.name}) = {value} is outside "
            f"{field.minimum}..{field.maximum}"
        )
    return value
