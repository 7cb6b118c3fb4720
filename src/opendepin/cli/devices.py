"""`depin device new | list | show | send | simulate | suspend | resume | rotate-key | revoke`."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from opendepin.cli.listing import Cursor, Limit, Row, Table, print_one, print_page
from opendepin.cli.output import HomeOption, JsonOption, command, home_of, out, print_json, short
from opendepin.core.identity import Status
from opendepin.network import fleet
from opendepin.network.errors import HomeRefused

app = typer.Typer(no_args_is_help=True)
Device = Annotated[str, typer.Argument(help="Device id (0x and 40 hex digits) or its local name.")]
Project = Annotated[int, typer.Option(help="Project id.", min=1)]


def _cells(device: Row) -> list[Any]:
    reading = device.get("reading")
    last = f"{reading['value']} {reading['unit']}" if reading else None
    names = ("name", "project", "index", "status")
    return [*(device.get(name) for name in names), last, device["device"]]


DEVICES = Table("devices", ["name", "project", "index", "status", "last reading", "device"], _cells)
KEY_HISTORY = Table(
    "key history",
    ["from block", "status", "public key"],
    lambda c: [c["from_block"], c["status"], short(c["public"])],
)


@app.command("new")
@command
def new(
    home: HomeOption,
    name: Annotated[str, typer.Argument(help="A local name for its key.")],
    project: Project = 1,
    json_: JsonOption = False,
) -> None:
    """Make a key, sign the permits of device and owner, and register the device on Layer 1."""
    found = asyncio.run(fleet.new(home_of(home), name, project))
    if json_:
        print_json(found)
        return
    out.print(f"device {found['device']}  in project {project}, index {found['index']}")
    out.print(f"next   depin device send {name} --value 12345", markup=False)


@app.command("list")
@command
def list_(
    home: HomeOption,
    project: Annotated[int | None, typer.Option(help="Only of this project.")] = None,
    status: Annotated[str | None, typer.Option(help="active, suspended or revoked.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    json_: JsonOption = False,
) -> None:
    """List registered devices with their last reading."""
    asked = {"project": project, "status": status, "limit": limit, "cursor": cursor}
    print_page(home_of(home), "/devices", DEVICES, json_=json_, **asked)


@app.command("show")
@command
def show(home: HomeOption, device: Device, json_: JsonOption = False) -> None:
    """Show one device: state, key history, pay."""
    place = home_of(home)
    path = f"/devices/{fleet.device_id(place, device)}"
    print_one(place, path, KEY_HISTORY, lambda found: found["history"], json_=json_)


@app.command("send")
@command
def send(
    home: HomeOption,
    device: Device,
    value: Annotated[int, typer.Option(help="The reading, an integer scaled as the schema says.")],
    observed: Annotated[
        int | None, typer.Option(help="When it was observed, Unix seconds; now without it.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Sign one reading, send it, print the gateway's receipt after checking it."""
    found = asyncio.run(fleet.send(home_of(home), device, value, observed))
    if json_:
        print_json(found)
        return
    out.print(f"message {found['message_id']}  position {found['position']}", markup=False)
    out.print(f"next    depin verify {found['message_id']}", markup=False, soft_wrap=True)


@app.command("simulate")
@command
def simulate(
    home: HomeOption,
    device: Device,
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Readings.")] = 10,
    every: Annotated[float, typer.Option(min=0.0, max=3_600.0, help="Seconds between.")] = 1.0,
    json_: JsonOption = False,
) -> None:
    """Send made-up readings from a registered device (a random walk, labelled as simulated)."""

    def progress(row: dict[str, Any]) -> None:
        if not json_:
            out.print(f"{row['value']:>10}  {row['message_id']}", markup=False, soft_wrap=True)

    rows = asyncio.run(fleet.simulate(home_of(home), device, count, every, progress))
    if json_:
        print_json(rows)


def _set(home: HomeOption, device: str, status: Status, json_: bool) -> None:
    found = asyncio.run(fleet.set_status(home_of(home), device, status))
    if json_:
        print_json(found)
    else:
        out.print(f"{found['device']} is {status.name.lower()} from block {found['block']} on")


@app.command("suspend")
@command
def suspend(home: HomeOption, device: Device, json_: JsonOption = False) -> None:
    """Stop taking the device's messages until it is resumed."""
    _set(home, device, Status.SUSPENDED, json_)


@app.command("resume")
@command
def resume(home: HomeOption, device: Device, json_: JsonOption = False) -> None:
    """Take the device's messages again."""
    _set(home, device, Status.ACTIVE, json_)


@app.command("revoke")
@command
def revoke(
    home: HomeOption,
    device: Device,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json_: JsonOption = False,
) -> None:
    """End the device's identity for good."""
    if not yes and not sys.stdin.isatty():
        raise HomeRefused("revoking is for good: say --yes where nobody can be asked", code="usage")
    if not yes:
        typer.confirm(f"revoke {device} for good?", abort=True)
    _set(home, device, Status.REVOKED, json_)


@app.command("rotate-key")
@command
def rotate_key(home: HomeOption, device: Device, json_: JsonOption = False) -> None:
    """Give the device a new key; its id stays, old signatures stay valid for their time."""
    found = asyncio.run(fleet.rotate_key(home_of(home), device))
    if json_:
        print_json(found)
    else:
        out.print(f"{found['device']} signs with {found['key']} from block {found['block']} on")
