"""What an owner does with devices of a home: register, send, simulate, suspend, rotate, revoke."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opendepin.chain.errors import Reverted
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.core.identity import Status
from opendepin.core.keys import Key
from opendepin.core.schema import OBSERVED, Data, Field, Value
from opendepin.network.errors import HomeRefused
from opendepin.network.founding import FAUCET, GATEWAY
from opendepin.network.home import Home, read_json, write_json
from opendepin.network.projects import ProjectFile, ProjectFolder
from opendepin.network.registering import Registration, registrar
from opendepin.runtime.chance import SystemChance
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import client
from opendepin.sdk import Device, Outbox, Sender
from opendepin.sdk.adapters.http import HttpNet
from opendepin.sdk.adapters.system import FileStore
from opendepin.sdk.adapters.system import SystemClock as DeviceClock

OWNER = "owner"
"""Name of the key that owns the devices made by `depin device new`."""

REFUSALS = {"status": "has this status already", "revoked": "is revoked for good"}
"""What the registry's word for a refused change of a device means."""

STEP_SHARE = 50
"""A simulated reading moves by at most 1/50 of the schema's range."""


def _book(home: Home) -> Path:
    return home.root / "devices" / "book.json"


def _read_book(home: Home) -> dict[str, dict[str, Any]]:
    return read_json(_book(home), "no devices") if _book(home).exists() else {}


def keep(home: Home, name: str, device: Key, owner_name: str, project: int, index: int) -> None:
    """Note a registered device of this home under a local name."""
    book = _read_book(home)
    book[name] = {
        "device": to_hex(device.address),
        "key": f"device-{name}",
        "owner": owner_name,
        "project": project,
        "index": index,
    }
    write_json(_book(home), book)


def _entry(home: Home, device: str) -> tuple[str, dict[str, Any]]:
    book = _read_book(home)
    if device in book:
        return device, book[device]
    for name, row in book.items():
        if row["device"] == device:
            return name, row
    raise HomeRefused(
        f"the key of device {device[:60]!r} is not in this home: make one with `depin device new`",
        code="device-unknown-here",
    )


def device_id(home: Home, device: str) -> str:
    """Return a device's id, given the id or its local name.

    Raises:
        HomeRefused: neither.
    """
    try:
        return to_hex(from_hex(device, 20))
    except EncodingRejected:
        return str(_entry(home, device)[1]["device"])


def id_of_name(home: Home, text: str) -> str:
    """Return the id of the device with this local name, or the text itself where none has it."""
    row = _read_book(home).get(text)
    return text if row is None else str(row["device"])


def project_of(home: Home, named: str) -> int:
    """Return a project's id, given the id or the name in its manifest.

    Raises:
        HomeRefused: no such project is served here.
    """
    files = ProjectFolder(home).all()
    for file in files:
        if named in (str(file.project), file.manifest.name):
            return file.project
    known = ", ".join(f"{file.project} ({file.manifest.name})" for file in files)
    raise HomeRefused(
        f"no project {named[:60]!r} is served here; there are "
        f"{known or 'none yet: `depin deploy` and `depin demo` make one'}",
        code="project",
    )


async def new(home: Home, name: str, project: int) -> dict[str, Any]:
    """Make a key, register the device, note it.

    Raises:
        HomeRefused: the name is taken, or the project is not served here.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise HomeRefused(f"{name[:60]!r} is no name: letters, digits, - and _", code="device-name")
    if name in _read_book(home):
        raise HomeRefused(
            f"there is a device {name} already: take another name", code="device-name"
        )
    if ProjectFolder(home).find(project) is None:
        known = ", ".join(map(str, home.projects())) or "none yet: `depin demo` makes one"
        raise HomeRefused(f"no project {project} is served here; there are {known}", code="project")
    chance = SystemChance()
    owner, device = home.key(OWNER, chance), home.key(f"device-{name}", chance)
    async with registrar(home, FAUCET) as office:
        (registered,) = await office.register_devices(project, [Registration(device, owner)])
        index = await office.index_of(device.address)
        keep(home, name, device, OWNER, project, index)  # still under the account's lock
    return {
        "device": to_hex(device.address),
        "name": name,
        "project": project,
        "index": index,
        "block": registered[1].block,
    }


@contextmanager
def _worded(device: str) -> Generator[None]:
    """Say in words why the registry refuses to change a device."""
    try:
        yield
    except Reverted as error:
        text = REFUSALS.get(error.reason)
        if text is None:
            raise
        raise HomeRefused(f"{device} {text}", code="device-state") from error


async def set_status(home: Home, device: str, status: Status) -> dict[str, Any]:
    """Suspend, resume or revoke a device of this home."""
    _, row = _entry(home, device)
    identifier = from_hex(row["device"], 20)
    async with registrar(home, FAUCET) as office:
        with _worded(device):
            outcome = await office.set_status(identifier, status, home.key(row["owner"]))
    return {"device": row["device"], "status": status.name.lower(), "block": outcome.block}


async def rotate_key(home: Home, device: str) -> dict[str, Any]:
    """Draw a new key for a device of this home and register it."""
    name, row = _entry(home, device)
    number = len(home.key_names(f"device-{name}"))
    fresh = f"device-{name}.{number}"
    key = home.key(fresh, SystemChance())
    async with registrar(home, FAUCET) as office:
        with _worded(device):
            outcome = await office.rotate(from_hex(row["device"], 20), home.key(row["owner"]), key)
        book = _read_book(home)
        book[name]["key"] = fresh
        write_json(_book(home), book)
    return {"device": row["device"], "key": to_hex(key.address), "block": outcome.block}


class Station:
    """One device of this home, ready to sign and send."""

    def __init__(self, home: Home, name: str, row: dict[str, Any], network_id: bytes) -> None:
        folder = home.root / "devices" / name
        self.file = _project(home, int(row["project"]))
        store = FileStore(folder)
        identifier = from_hex(row["device"], 20)
        key = home.key(str(row["key"]))
        self.device = Device(
            key, network_id, self.file.project, store, DeviceClock(), device_id=identifier
        )
        self.outbox = Outbox(self.device, store)


def _project(home: Home, project: int) -> ProjectFile:
    found = ProjectFolder(home).find(project)
    if found is None:
        raise HomeRefused(f"no project {project} is served here", code="project")
    return found


def network_id_of(home: Home) -> bytes:
    """Return the id of this home's network."""
    return from_hex(home.genesis()["network_id"], 32)


async def send(
    home: Home, device: str, values: Mapping[str | None, Value], observed_s: int | None
) -> dict[str, Any]:
    """Sign and send one reading, given its fields by name; None names the field that is shown.
    Return its receipt, checked.

    Raises:
        GatewayRefused, GatewayAway, ReceiptWrong: see `sdk.sender`.
        SchemaRejected: the reading is outside the schema.
    """
    file = _project(home, int(_entry(home, device)[1]["project"]))
    fields = {field.name: field.key for field in file.rules.schema.fields}
    unknown = [name for name in values if name is not None and name not in fields]
    if unknown:
        known = ", ".join(fields)
        raise HomeRefused(f"no field {unknown[0]!r}; the fields are {known}", code="field")
    data = {file.value_field if n is None else fields[n]: value for n, value in values.items()}
    rows = await _send(home, device, [(observed_s, data)], 0.0, None)
    return rows[0]


async def simulate(
    home: Home,
    device: str,
    count: int,
    every_s: float,
    progress: Callable[[dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """Send a random walk of readings."""
    _, row = _entry(home, device)
    schema = _project(home, int(row["project"])).rules.schema
    chance = SystemChance()
    now = {f.key: [(f.minimum + f.maximum) // 10] * f.length for f in schema.fields[1:]}
    readings: list[tuple[int | None, Data]] = []
    for _ in range(count):
        for field in schema.fields[1:]:
            now[field.key] = [_moved(field, value, chance) for value in now[field.key]]
        data: Data = {key: each if len(each) > 1 else each[0] for key, each in now.items()}
        readings.append((None, data))
    return await _send(home, device, readings, every_s, progress)


async def report(
    home: Home, device: str, readings: list[tuple[int | None, Data]]
) -> list[dict[str, Any]]:
    """Send readings of a device of this home, given by field key; return the receipts.

    Raises:
        GatewayRefused, GatewayAway, ReceiptWrong: see `sdk.sender`.
        SchemaRejected: a reading is outside the schema.
    """
    return await _send(home, device, readings, 0.0, None)


def _moved(field: Field, value: int, chance: SystemChance) -> int:
    step = max(1, (field.maximum - field.minimum) // STEP_SHARE // 10)
    moved = value + chance.below(2 * step + 1) - step
    return min(max(moved, field.minimum), field.maximum)


async def _send(
    home: Home,
    device: str,
    readings: list[tuple[int | None, Data]],
    every_s: float,
    progress: Callable[[dict[str, Any]], None] | None,
) -> list[dict[str, Any]]:
    name, row = _entry(home, device)
    network = network_id_of(home)
    station, clock = Station(home, name, row, network), SystemClock()
    gateway = from_hex(home.genesis()["gateways"][0], 20)
    found: list[dict[str, Any]] = []
    async with client() as http:
        sender = Sender(HttpNet(http), home.addresses()[GATEWAY], gateway, network)
        for number, (observed, values) in enumerate(readings):
            when = clock.now_s() if observed is None else observed
            data = station.file.rules.schema.check({OBSERVED: when, **values})
            value = data[station.file.value_field]
            station.outbox.put(data)
            for sent in await station.outbox.flush(sender):
                line = {"value": value, "observed_s": when} | sent.receipt.to_json()
                found.append(line)
                if progress is not None:
                    progress(line)
            if number + 1 < len(readings):
                await asyncio.sleep(every_s)
    if not found:
        refused = list(station.outbox.refused().values())
        raise HomeRefused(f"the gateway refused the reading: {refused[-1]}", code="refused")
    return found
