"""The door to settings: one typed file `network.toml` with every parameter of a network.

In: a path. Out: a frozen `NetworkSettings`, or `SettingsRejected` naming key, value and what is
allowed. Money stands in the file as a decimal string of tokens; `wei()` of `core.units` reads it.
Settings do not change once they are read.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, TypeAlias, cast, get_type_hints

import msgspec
from msgspec import Meta

from opendepin.runtime.disk import write_atomic
from opendepin.runtime.errors import SettingsRejected

Amount: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,18})?$")]
"""Tokens, as a decimal string with at most 18 places."""
Port: TypeAlias = Annotated[int, Meta(ge=0, le=65_535)]
Bps: TypeAlias = Annotated[int, Meta(ge=0, le=10_000)]
Positive: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 53)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 53)]
Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)]
Rate: TypeAlias = Annotated[float, Meta(gt=0, le=1e9)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the file; each field's description is the comment above it there."""


class Network(_Section, frozen=True):
    """The chain under the network."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
            description="Shown in pages and logs: lower-case letters, digits, hyphens.",
        ),
    ] = "local"
    block_time_s: Annotated[Seconds, Meta(description="Seconds between L1 blocks.")] = 1
    finality_depth: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="A block this deep is taken for final; reorgs above it are rewound.",
        ),
    ] = 2
    log_bytes: Annotated[
        int,
        Meta(
            ge=65_536,
            le=1 << 40,
            description="A service's log is begun anew at this size; the one before is kept.",
        ),
    ] = 67_108_864
    local: Annotated[
        bool,
        Meta(
            description="A network on one machine; development keys are refused when this is false."
        ),
    ] = True


class Ports(_Section, frozen=True):
    """First port each service tries on 127.0.0.1; taken ones are passed over at the start."""

    l1: Annotated[Port, Meta(description="The L1's JSON-RPC proxy.")] = 8645
    gateway: Annotated[Port, Meta(description="Ingest.")] = 8650
    sequencer: Annotated[Port, Meta(description="Status of the sequencer.")] = 8655
    store: Annotated[Port, Meta(description="First availability store; the others follow.")] = 8660
    operator: Annotated[Port, Meta(description="First compute operator; the others follow.")] = 8670
    explorer: Annotated[Port, Meta(description="Page and API.")] = 8680


class Messages(_Section, frozen=True):
    """What a gateway admits."""

    max_age_s: Annotated[
        Seconds, Meta(description="A message signed longer ago is refused (`too-old`).")
    ] = 604_800
    max_ahead_s: Annotated[
        Seconds,
        Meta(description="A message signed further in the future is refused (`too-early`)."),
    ] = 60
    device_rate_per_s: Annotated[
        Rate, Meta(description="Messages a device may send in the long run, per second.")
    ] = 20.0
    device_burst: Annotated[
        Positive, Meta(description="Messages a device may send at once after a pause.")
    ] = 1_000
    project_rate_per_s: Annotated[
        Rate, Meta(description="The same for all devices of a project.")
    ] = 20_000.0
    project_burst: Annotated[
        Positive, Meta(description="Messages all devices of a project may send at once.")
    ] = 100_000


class Gateway(_Section, frozen=True):
    """How a gateway commits and what it bears."""

    group_wait_ms: Annotated[
        float,
        Meta(
            ge=0,
            le=1_000,
            description="A message waits this long for others to share its fsync and signature.",
        ),
    ] = 2.0
    group_messages: Annotated[
        int, Meta(ge=1, le=256, description="Most messages in one commit group.")
    ] = 256
    include_within_blocks: Annotated[
        Positive, Meta(description="A receipt promises a batch within this many L1 blocks.")
    ] = 120
    max_connections: Annotated[
        Positive, Meta(description="Open connections; more are answered 503 and closed.")
    ] = 1_024
    queue_messages: Annotated[
        Positive,
        Meta(description="Messages that wait for the disk; more are answered 503."),
    ] = 8_192


class Sequencer(_Section, frozen=True):
    """When a batch is sealed: whichever limit is met first."""

    max_messages: Annotated[int, Meta(ge=1, le=4_096, description="Messages in one batch.")] = 256
    max_bytes: Annotated[Positive, Meta(description="Bytes of one batch body.")] = 1_048_576
    max_wait_s: Annotated[
        float,
        Meta(
            gt=0, le=3_600, description="Seconds from the first message in a batch to its sealing."
        ),
    ] = 10.0


class Availability(_Section, frozen=True):
    """The stores that keep and attest batches."""

    stores: Annotated[int, Meta(ge=1, le=16, description="Number of store processes.")] = 4
    threshold: Annotated[
        int, Meta(ge=1, le=16, description="Attestations that the inbox contract asks for.")
    ] = 3
    data_chunks: Annotated[
        int,
        Meta(
            ge=1,
            le=128,
            description="k: a body is cut in k chunks and coded to 2k; any k restore it.",
        ),
    ] = 16


class Identity(_Section, frozen=True):
    """Fees of registration."""

    project_fee: Annotated[Amount, Meta(description="Tokens for a project.")] = "100"
    device_fee: Annotated[Amount, Meta(description="Tokens for a device.")] = "1"
    burn_bps: Annotated[
        Bps, Meta(description="Share of a fee that is burned, in basis points.")
    ] = 5_000


class Compute(_Section, frozen=True):
    """The operators that prove."""

    operators: Annotated[int, Meta(ge=1, le=64, description="Number of operator processes.")] = 2
    bond: Annotated[Amount, Meta(description="Tokens an operator bonds at least.")] = "1000"
    draw_delay: Annotated[
        int,
        Meta(
            ge=1,
            le=200,
            description="Blocks from a task's opening to the block whose hash draws the operator.",
        ),
    ] = 2
    window_s: Annotated[
        Seconds,
        Meta(description="Seconds an operator has to settle before the task is drawn again."),
    ] = 120
    exit_delay_s: Annotated[
        Seconds,
        Meta(description="Seconds between an operator's leaving and the return of its bond."),
    ] = 86_400
    capacity: Annotated[
        int, Meta(ge=1, le=65_535, description="Tasks an operator of this home has at once.")
    ] = 8
    epoch_s: Annotated[
        Seconds,
        Meta(description="Seconds that a snapshot of the operators, from which is drawn, holds."),
    ] = 60
    miss_bps: Annotated[
        Bps,
        Meta(description="Share of the bond that a missed deadline costs, in basis points."),
    ] = 500


class Economy(_Section, frozen=True):
    """Money."""

    genesis_reserve: Annotated[
        Amount, Meta(description="Tokens in the issuance contract at genesis.")
    ] = "1000000"
    protocol_bps: Annotated[
        Bps, Meta(description="Share of a task's reward that is burned, in basis points.")
    ] = 1_000
    operator_fee: Annotated[
        Amount, Meta(description="Tokens an operator gets for a proven task.")
    ] = "0.5"
    unit_rate: Annotated[
        Amount,
        Meta(description="Tokens a device's owner gets for a proven unit (demo: a valid reading)."),
    ] = "0.01"


class NetworkSettings(_Section, frozen=True):
    """Everything `network.toml` says."""

    network: Network = msgspec.field(default_factory=Network)
    ports: Ports = msgspec.field(default_factory=Ports)
    messages: Messages = msgspec.field(default_factory=Messages)
    gateway: Gateway = msgspec.field(default_factory=Gateway)
    sequencer: Sequencer = msgspec.field(default_factory=Sequencer)
    availability: Availability = msgspec.field(default_factory=Availability)
    identity: Identity = msgspec.field(default_factory=Identity)
    compute: Compute = msgspec.field(default_factory=Compute)
    economy: Economy = msgspec.field(default_factory=Economy)


def load(path: Path) -> NetworkSettings:
    """Read a settings file; what it leaves out has its default.

    Raises:
        SettingsRejected: code `settings-missing`, `settings-syntax`, `settings-unknown` or
        `settings-value`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsRejected(f"there is no {path}", code="settings-missing") from error
    except UnicodeDecodeError as error:
        raise SettingsRejected(f"{path.name} is not UTF-8", code="settings-syntax") from error
    return parse(text, path.name)


def parse(text: str, name: str = "network.toml") -> NetworkSettings:
    """Read the text of a settings file; see `load`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsRejected(f"{name} is not TOML: {error}", code="settings-syntax") from error
    sections = get_type_hints(NetworkSettings)
    for section, table in tables.items():
        if section not in sections:
            raise _unknown(name, f"[{section}]", [f"[{known}]" for known in sections])
        if not isinstance(table, dict):
            raise SettingsRejected(
                f"{name}: {section} is a table, not {table!r}", code="settings-value"
            )
        _check_table(name, section, sections[section], cast("dict[str, object]", table))
    settings = msgspec.convert(tables, NetworkSettings)
    _check_together(name, settings)
    return settings


def _check_table(name: str, section: str, kind: type[_Section], table: dict[str, object]) -> None:
    fields = get_type_hints(kind, include_extras=True)
    for key, value in table.items():
        if key not in fields:
            raise _unknown(name, f"{section}.{key}", [f"{section}.{known}" for known in fields])
        try:
            msgspec.convert(value, fields[key])
        except msgspec.ValidationError as error:
            allowed = str(error).replace("`", "")
            raise SettingsRejected(
                f"{name}: {section}.{key} = {value!r} is not allowed: {allowed}"
                f" ({_description(fields[key])})",
                code="settings-value",
            ) from error


def _unknown(name: str, key: str, allowed: list[str]) -> SettingsRejected:
    return SettingsRejected(
        f"{name}: {key} is unknown; allowed are {', '.join(allowed)}", code="settings-unknown"
    )


def _check_together(name: str, settings: NetworkSettings) -> None:
    stores = settings.availability
    if stores.threshold > stores.stores:
        text = (
            f"{name}: availability.threshold = {stores.threshold} is above stores = {stores.stores}"
        )
        raise SettingsRejected(text, code="settings-value")
    if settings.messages.max_ahead_s > settings.messages.max_age_s:
        raise SettingsRejected(
            f"{name}: messages.max_ahead_s is above messages.max_age_s", code="settings-value"
        )


def _description(kind: object) -> str:
    notes = [
        meta.description for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, Meta)
    ]
    return next((text for text in reversed(notes) if text), "")


def default_text(settings: NetworkSettings | None = None) -> str:
    """Return the file's text: every parameter with its value and what it means."""
    chosen = settings or NetworkSettings()
    lines = ["# Every parameter of this network, read when a service starts."]
    for section, kind in get_type_hints(NetworkSettings).items():
        lines += ["", f"# {(kind.__doc__ or '').strip()}", f"[{section}]"]
        for key, hint in get_type_hints(kind, include_extras=True).items():
            value: object = getattr(getattr(chosen, section), key)
            lines += [f"# {_description(hint)}", f"{key} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def write_default(path: Path, settings: NetworkSettings | None = None) -> None:
    """Write the settings file with every parameter and a comment for each; an existing file is
    kept.
    """
    if not path.exists():
        write_atomic(path, default_text(settings).encode())


def _toml(value: object) -> str:
    """Write a value; strings, integers, floats and booleans of JSON are those of TOML."""
    return json.dumps(value, ensure_ascii=False)
