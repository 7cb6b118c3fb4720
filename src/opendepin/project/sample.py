"""Read a project's sample data: a CSV file whose lines are readings.

Columns: `device` (a name), `observed` (Unix seconds, or ISO 8601), then the fields by name; of an
array field `name.0`, `name.1`, … A value is written as people write it (`12.5`) and scaled as the
schema says; labels of an enum stand by name. Devices get the indices 0, 1, … in the order in which
they first appear, the same that `depin deploy` registers them in.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import cast

from opendepin.core.errors import Rejected
from opendepin.core.journey import Reading
from opendepin.core.schema import OBSERVED, Schema
from opendepin.project.config import Config, FieldTable
from opendepin.project.errors import SampleRejected

MAX_ROWS = 50_000
MAX_DEVICES = 256


@dataclass(frozen=True)
class Row:
    """One reading, as a device would send it."""

    device: int
    data: dict[int, int | list[int]]
    """Field key → value, as in a message."""


@dataclass(frozen=True)
class Sample:
    """All sample readings, and the names of the devices by index."""

    devices: tuple[str, ...]
    rows: tuple[Row, ...]

    def readings(self, schema: Schema, most: int) -> list[Reading]:
        """Return the first readings as a rule sees them, numbered per device."""
        numbers: dict[int, int] = {}
        found: list[Reading] = []
        for row in self.rows[:most]:
            number = numbers[row.device] = numbers.get(row.device, -1) + 1
            data = schema.check(row.data)
            observed = row.data[OBSERVED]
            if isinstance(observed, int):
                found.append(Reading(row.device, number, observed, schema.values(data)))
        return found


def read_sample(text: bytes, config: Config) -> Sample:
    """Read the CSV text of a sample.

    Raises:
        SampleRejected: the first line that does not fit, with its number.
    """
    schema = config.message_schema()
    devices: dict[str, int] = {}
    rows: list[Row] = []
    try:
        reader = csv.DictReader(io.StringIO(text.decode()), strict=True)
        for line in reader:
            try:
                rows.append(_row(line, config, schema, devices))
            except (KeyError, ValueError, InvalidOperation, Rejected) as error:
                what = f"no column {error}" if isinstance(error, KeyError) else str(error)
                raise SampleRejected(f"sample, line {reader.line_num}: {what}") from error
            if len(rows) > MAX_ROWS or len(devices) > MAX_DEVICES:
                raise SampleRejected(
                    f"a sample has at most {MAX_ROWS:,} lines and {MAX_DEVICES} devices"
                )
    except (UnicodeDecodeError, csv.Error) as error:
        raise SampleRejected(f"the sample is no CSV in UTF-8: {error}") from error
    if not rows:
        raise SampleRejected("the sample has no line below its head: put readings there")
    return Sample(tuple(devices), tuple(rows))


def _row(
    line: Mapping[str, str | None], config: Config, schema: Schema, devices: dict[str, int]
) -> Row:
    name = (line["device"] or "").strip()
    if not name:
        raise SampleRejected("the device has no name")
    data: dict[int, int | list[int]] = {OBSERVED: _time(line["observed"] or "")}
    for field in config.schema:
        data[field.key] = _value(line, field)
    index = devices.setdefault(name, len(devices))
    return Row(index, {key: data[key] for key in sorted(schema.check(data))})


def values_of(given: Mapping[str, object], config: Config) -> tuple[int, ...]:
    """Return a reading's values, each field by name as people write it; arrays are lists.

    Raises:
        SampleRejected: a field is missing or does not fit.
        SchemaRejected: a value is outside its bounds.
    """
    line: dict[str, str | None] = {}
    for name, value in given.items():
        if isinstance(value, list | tuple):
            items = cast("Sequence[object]", value)
            line |= {f"{name}.{at}": str(item) for at, item in enumerate(items)}
        else:
            line[name] = str(value)
    try:
        data: dict[int, int | list[int]] = {each.key: _value(line, each) for each in config.schema}
    except KeyError as error:
        raise SampleRejected(f"the reading has no {error}") from error
    schema = config.message_schema()
    return schema.values(schema.check({OBSERVED: 0} | {key: data[key] for key in sorted(data)}))


def _value(line: Mapping[str, str | None], field: FieldTable) -> int | list[int]:
    if field.length == 1:
        return _scaled(line[field.name] or "", field)
    return [_scaled(line[f"{field.name}.{n}"] or "", field) for n in range(field.length)]


def _scaled(text: str, field: FieldTable) -> int:
    text = text.strip()
    if text in field.labels:
        return field.labels.index(text)
    try:
        value = Decimal(text).scaleb(field.scale)
    except InvalidOperation as error:
        raise SampleRejected(f"{field.name} = {text!r} is no number") from error
    if value != value.to_integral_value():
        raise SampleRejected(
            f"{field.name} = {text} has more than {field.scale} decimal places: raise `scale` in "
            "depin.toml, or round the data"
        )
    return int(value)


def _time(text: str) -> int:
    text = text.strip()
    if text.isdigit():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise SampleRejected(f"observed = {text!r} is neither Unix seconds nor ISO 8601") from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
