"""A project's message schema: the integer fields that the `data` map of a message has.

Field key 1 is always `observed_s`; the others are the project's. All values are integers: decimals
are scaled by `10**scale`, as the manifest says, so a reading has one form everywhere, circuit
included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from opendepin.core.encodings import cbor_encode, keccak256
from opendepin.core.errors import SchemaRejected
from opendepin.core.limits import MAX_FIELDS, MAX_OBSERVED_S

OBSERVED = 1
"""Key of the field that says when the reading was observed (Unix seconds)."""


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

    def check(self, data: object) -> dict[int, int]:
        """Return `data` when it has exactly the schema's fields, each an integer within its bounds.

        Raises:
            SchemaRejected: code `schema` with the first field that does not fit.
        """
        if not isinstance(data, Mapping):
            raise SchemaRejected("data is not a map")
        given = cast(Mapping[object, object], data)
        found: dict[int, int] = {}
        for field in self.fields:
            value = given.get(field.key)
            if type(value) is not int:
                raise SchemaRejected(f"field {field.key} ({field.name}) is missing or no integer")
            if not field.minimum <= value <= field.maximum:
                raise SchemaRejected(
                    f"field {field.key} ({field.name}) = {value} is outside "
                    f"{field.minimum}..{field.maximum}"
                )
            found[field.key] = value
        if len(found) != len(given):
            raise SchemaRejected("data has a field the schema does not know")
        return found

    def hash(self) -> bytes:
        """Return keccak of the deterministic CBOR of the fields; part of the manifest hash."""
        rows = [[f.key, f.name, f.minimum, f.maximum, f.unit, f.scale] for f in self.fields]
        return keccak256(cbor_encode(rows))
