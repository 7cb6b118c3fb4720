"""Read `depin.toml`: everything a project says of itself but its rule.

In: the project's folder. Out: a `Config`, checked as a whole; every refusal names key, value and
what is allowed. Paths in it lie inside the folder, links followed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

import msgspec
from msgspec import Meta

from opendepin.core.errors import SchemaRejected
from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import OBSERVED, Field, Schema
from opendepin.core.units import wei
from opendepin.project.errors import ConfigRejected

FILE = "depin.toml"
MAX_FILE_BYTES = 1 << 16
MAX_SAMPLE_BYTES = 4 << 20
MAX_CONTRACT_BYTES = 1 << 18
CAPACITIES = (8, 16, 32, 64, 128, 256)
"""Readings in one proof. A segment holds at most 256 messages."""

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="a-z, 0-9 and -")]
FieldName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="a-z, 0-9 and _")]
Line = Annotated[str, Meta(min_length=1, max_length=120)]
Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,18})?$", description="as 0.5")]
Place = Annotated[str, Meta(pattern=r"^[\w.-][\w./-]{0,199}$", description="path in the project")]
Entry = Annotated[
    str,
    Meta(pattern=r"^[\w./-]{1,100}\.py:[A-Za-z_]\w{0,99}$", description="as project.py:compute"),
]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


class About(_Table, frozen=True, kw_only=True):
    """[project]: its name and what it is for."""

    name: Name
    title: Line
    description: Annotated[str, Meta(max_length=2_000)] = ""
    version: Line = "1"


class FieldTable(_Table, frozen=True, kw_only=True):
    """[[schema]]: one field of a reading; `observed_s` is always there."""

    key: Annotated[int, Meta(ge=2, le=255)]
    name: FieldName
    unit: Annotated[str, Meta(max_length=20)] = ""
    scale: Annotated[int, Meta(ge=0, le=9)] = 0
    """Decimal places kept: the integer in a message is the value × 10**scale."""
    minimum: int = 0
    """In integers, as maximum."""
    maximum: int
    length: Annotated[int, Meta(ge=1, le=254)] = 1
    labels: list[Line] = []
    """What the integers 0, 1, … stand for."""


class ProgramTable(_Table, frozen=True, kw_only=True):
    """[program]: the rule."""

    rule: Entry = "project.py:compute"
    capacity: int = 64
    """Most readings in one proof."""


class Pay(_Table, frozen=True, kw_only=True):
    """[pay]: what a task pays."""

    operator_fee: Amount = "0.5"
    """Tokens to who proves, per task."""
    unit_rate: Amount = "0.01"
    """Tokens to a device's owner, per unit."""
    units: FieldName = "units"
    """Name of the outputs that count units, one per device index."""
    deposit: Amount = "1000"
    """Tokens put into the project's escrow when it is deployed."""


class Hook(_Table, frozen=True, kw_only=True):
    """[hook]: the project's contract, told every result."""

    contract: Place = "contracts/Hook.vy"


class Data(_Table, frozen=True, kw_only=True):
    """[data]: readings to try the rule on."""

    sample: Place = "data/sample.csv"
    attribution: Annotated[str, Meta(max_length=300)] = ""


class PlaceTable(_Table, frozen=True, kw_only=True):
    """[page.places.NAME]: where a device of the sample stands."""

    longitude: Annotated[float, Meta(ge=-180, le=180)]
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    region: Annotated[str, Meta(max_length=40)] = ""
    region_name: Annotated[str, Meta(max_length=80)] = ""


class Page(_Table, frozen=True, kw_only=True):
    """[page]: what readers see."""

    text: Annotated[str, Meta(max_length=4_000)] = ""
    value: FieldName | None = None
    """Field that is shown; the first without it."""
    limit: int | None = None
    """A line drawn at this value, in integers."""
    places: dict[str, PlaceTable] = {}


class Figure(_Table, frozen=True, kw_only=True):
    """[[outputs]]: how readers are shown the outputs of one name."""

    name: FieldName
    unit: Annotated[str, Meta(max_length=20)] = ""
    scale: Annotated[int, Meta(ge=0, le=18)] = 0
    groups: list[Line] = []


class Config(_Table, frozen=True, kw_only=True):
    """The whole file."""

    project: About
    schema: Annotated[list[FieldTable], Meta(min_length=1, max_length=15)]
    program: ProgramTable = msgspec.field(default_factory=ProgramTable)
    pay: Pay = msgspec.field(default_factory=Pay)
    hook: Hook | None = None
    data: Data = msgspec.field(default_factory=Data)
    page: Page = msgspec.field(default_factory=Page)
    outputs: list[Figure] = []

    def message_schema(self) -> Schema:
        """Return the schema of the project's messages."""
        return schema_of(self.schema)

    @property
    def shown(self) -> FieldTable:
        """The field that readers see as a reading's value."""
        wanted = self.page.value
        return next((each for each in self.schema if each.name == wanted), self.schema[0])


def schema_of(tables: list[FieldTable]) -> Schema:
    """Return the message schema of field tables, `observed_s` included."""
    own = (
        Field(
            key=each.key,
            name=each.name,
            minimum=each.minimum,
            maximum=each.maximum,
            unit=each.unit,
            scale=each.scale,
            length=each.length,
            kind="enum" if each.labels else "int",
        )
        for each in sorted(tables, key=lambda each: each.key)
    )
    return Schema((Field(OBSERVED, "observed_s", 0, MAX_OBSERVED_S, "s"), *own))


def load(folder: Path) -> Config:
    """Read a project's file.

    Raises:
        ConfigRejected: code `config-missing`, `config-syntax`, `config-unknown` or `config-value`.
    """
    path = folder / FILE
    if not path.is_file():
        raise ConfigRejected(
            f"there is no {FILE} in {folder}: go into a project's folder, or make one with "
            "`depin new NAME`",
            code="config-missing",
        )
    return parse(read_inside(folder, FILE, MAX_FILE_BYTES))


def parse(data: bytes) -> Config:
    """Read the bytes of a project's file; see `load`."""
    try:
        tables = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigRejected(f"{FILE} is not TOML: {error}", code="config-syntax") from error
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as error:
        raise _rejected(str(error)) from error
    _check_together(config)
    return config


def read_inside(folder: Path, name: str, most: int) -> bytes:
    """Read a file of the project; a link out of the folder is none of its files.

    Raises:
        ConfigRejected: code `config-path`, absent, outside or too large.
    """
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise ConfigRejected(f"{name} leads out of the project's folder", code="config-path")
    if not path.is_file():
        raise ConfigRejected(f"the project has no {name}: see {FILE}", code="config-path")
    with path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise ConfigRejected(f"{name} has more than {most:,} bytes", code="config-path")
    return found


_UNKNOWN = re.compile(r"unknown field `(.+?)`(?: - at `\$\.?(.*?)`)?$")
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*?)`)?$")


def _rejected(text: str) -> ConfigRejected:
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        key, where = unknown[1], unknown[2] or ""
        allowed = ", ".join(_keys(where))
        table = f"[{where}] " if where else ""
        return ConfigRejected(
            f"{FILE}: {table}{key} is unknown; allowed are {allowed}", code="config-unknown"
        )
    found = _AT.match(text)
    what, where = (found[1], found[2]) if found else (text, "")
    return ConfigRejected(f"{FILE}: {where or 'the file'}: {what}", code="config-value")


def _keys(where: str) -> list[str]:
    """Return the keys that a table takes, by its path as the decoder says it."""
    kind: object = Config
    for part in filter(None, re.split(r"[.\[]", where)):
        if part in {"...]", "...", "..]"}:
            continue
        hints = get_type_hints(kind) if isinstance(kind, type) else {}
        kind = _table_in(hints.get(part))
    return list(get_type_hints(kind)) if isinstance(kind, type) else []


def _table_in(hint: object) -> object:
    """Return the table type inside a hint: of a list, a map, or an optional one."""
    if isinstance(hint, type) and issubclass(hint, _Table):
        return hint
    return next((found for each in get_args(hint) if (found := _table_in(each))), None)


def _check_together(config: Config) -> None:
    if config.program.capacity not in CAPACITIES:
        allowed = ", ".join(map(str, CAPACITIES))
        raise _value("program.capacity", config.program.capacity, allowed)
    names = [each.name for each in config.schema]
    if config.page.value is not None and config.page.value not in names:
        raise _value("page.value", config.page.value, ", ".join(names))
    for each in config.schema:
        if each.minimum > each.maximum:
            raise _value(f"schema {each.name}.minimum", each.minimum, f"at most {each.maximum}")
        if each.labels and (each.minimum, each.maximum) != (0, len(each.labels) - 1):
            raise _value(
                f"schema {each.name}.labels", f"{len(each.labels)} labels",
                f"one label for each of {each.minimum}..{each.maximum}",
            )  # fmt: skip
    for name in ("operator_fee", "unit_rate", "deposit"):
        wei(getattr(config.pay, name))
    try:
        config.message_schema()
    except SchemaRejected as error:
        raise ConfigRejected(f"{FILE}: schema: {error}", code="config-value") from error


def _value(key: str, value: object, allowed: str) -> ConfigRejected:
    return ConfigRejected(
        f"{FILE}: {key} = {value!r} is not allowed; allowed: {allowed}", code="config-value"
    )
