"""A manifest in JSON, as project files and bundles hold it (`docs/spec/bundle.md`).

In: a `Manifest`, or JSON. Out: the other. Promise: whatever is read fits the forms it is hashed in;
whether it is the manifest that was registered, its hash says.
"""

from __future__ import annotations

import msgspec

from opendepin.core.manifest import Manifest
from opendepin.core.scalars import Int, Text, Uint
from opendepin.core.schema import Field, Schema, row_of


class ManifestForm(msgspec.Struct, frozen=True, kw_only=True):
    """A project's manifest; a field of its schema is [key, name, minimum, maximum, unit, scale,
    length, kind].
    """

    name: Text
    version: Text
    schema: list[tuple[Uint, Text, Int, Int, Text, Uint, Uint, Text]]
    compute: Text
    capacity: Uint
    pay_offset: Uint
    pay_count: Uint

    @classmethod
    def of(cls, manifest: Manifest) -> ManifestForm:
        """Return the form of a manifest."""
        fields = manifest.schema.fields
        return cls(
            name=manifest.name,
            version=manifest.version,
            schema=[row_of(field) for field in fields],
            compute=manifest.compute,
            capacity=manifest.capacity,
            pay_offset=manifest.pay_offset,
            pay_count=manifest.pay_count,
        )

    def value(self) -> Manifest:
        """Return the manifest.

        Raises:
            SchemaRejected: the fields make no schema.
        """
        fields = tuple(Field(*row) for row in self.schema)
        head = (self.name, self.version, Schema(fields), self.compute, self.capacity)
        return Manifest(*head, self.pay_offset, self.pay_count)
