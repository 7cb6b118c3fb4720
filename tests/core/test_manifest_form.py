"""A manifest's JSON form: the same manifest comes back; what could not be hashed is not read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from opendepin.core.errors import SchemaRejected
from opendepin.core.manifest import Manifest
from opendepin.core.manifest_form import ManifestForm
from opendepin.core.schema import Field, Schema

MANIFEST = Manifest(
    name="clean-air",
    version="1",
    schema=Schema(
        (Field(1, "observed_s", 0, 100, "s"), Field(2, "pm10", -5, 5, "µg/m³", 3, 4, "enum"))
    ),
    compute="module:rule",
    capacity=256,
    pay_offset=3,
    pay_count=70,
)


def as_json(**other: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(ManifestForm.of(MANIFEST)) | other)


def test_a_manifest_comes_back_whole() -> None:
    assert msgspec.json.decode(as_json(), type=ManifestForm).value() == MANIFEST


@pytest.mark.parametrize("name", [f.name for f in msgspec.structs.fields(ManifestForm)])
def test_no_member_may_be_missing(name: str) -> None:
    rest = {key: value for key, value in msgspec.json.decode(as_json()).items() if key != name}
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert(rest, ManifestForm)


@pytest.mark.parametrize(
    "other",
    [
        {"capacity": -1},
        {"capacity": 1 << 53},
        {"capacity": "256"},
        {"name": "x" * 1_001},
        {"schema": [[1, "observed_s", 0, 100, "s", 0]]},
        {"schema": [[1, "observed_s", 0, 1 << 53, "s", 0, 1, "int"]]},
    ],
)
def test_what_cannot_be_hashed_is_not_read(other: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(as_json(**other), type=ManifestForm)


def test_fields_that_make_no_schema_are_refused() -> None:
    form = msgspec.json.decode(as_json(schema=[[2, "x", 0, 1, "", 0, 1, "int"]]), type=ManifestForm)
    with pytest.raises(SchemaRejected):
        form.value()
