"""`depin up | down | status | logs | open`: one network's life."""

from __future__ import annotations

import json
import webbrowser
from typing import Annotated, Any

import typer

from opendepin.cli.output import (
    HomeOption,
    JsonOption,
    command,
    home_of,
    out,
    print_json,
    print_table,
)
from opendepin.core.errors import DepinError
from opendepin.network import control
from opendepin.network.errors import NotRunning, UnknownRoom
from opendepin.network.home import Home
from opendepin.network.trails import Api

MAX_LOG_LINES = 10_000


@command
def up(home: HomeOption, json_: JsonOption = False) -> None:
    """Start the network of this home and wait until it serves."""
    place = home_of(home)

    def progress(line: str) -> None:
        if not json_:
            out.print(line, markup=False)

    state = control.up(place, progress)
    if json_:
        print_json(state)
        return
    for name, address in state["addresses"].items():
        out.print(f"  {name:<12} {address}", markup=False)
    out.print(f"page  {state['addresses'].get('explorer')}", markup=False)
    if place.projects():
        out.print("next  depin device new   ·   depin status   ·   depin down", markup=False)
    else:
        out.print("no project yet: `depin new my-net`, then `depin deploy` in it", markup=False)


@command
def down(home: HomeOption, json_: JsonOption = False) -> None:
    """Stop the network of this home; what was acknowledged is kept."""
    stopped = control.down(home_of(home))
    if json_:
        print_json({"stopped": stopped})
    else:
        out.print("stopped" if stopped else "no network was running here")


@command
def status(home: HomeOption, json_: JsonOption = False) -> None:
    """Show each service: state, process, restarts, what it counted."""
    found = control.status(home_of(home))
    if json_:
        print_json(found)
        return
    rows = [
        [name, row["state"], row["pid"], row["restarts"], _port(row), _counts(row)]
        for name, row in found["services"].items()
    ]
    columns = ["service", "state", "pid", "restarts", "port", "counts"]
    print_table(f"{found['network']} · {found['phase']}", columns, rows)
    for line in _troubles(found["services"]):
        out.print(f"  ! {line}", markup=False, style="yellow")
    for label in found["labels"]:
        out.print(f"  · {label}", markup=False, style="dim")


def _troubles(services: dict[str, Any]) -> list[str]:
    """Say what a service reports as wrong."""
    found: list[str] = []
    for name, row in services.items():
        stopped: dict[str, Any] = row.get("lanes_stopped") or {}
        asides: list[dict[str, Any]] = row.get("set_aside") or []
        found += [
            f"{name}: project {project} takes no messages until position {lane['position']} is in"
            f" a batch (promised by L1 block {lane['include_by_block']})"
            for project, lane in stopped.items()
        ]
        found += [f"{name}: group {each['group']} is set aside, {each['text']}" for each in asides]
        found += [f"{name}: {row['trouble']}"] if row.get("trouble") else []
    return found


def _port(row: dict[str, Any]) -> str:
    return str(row.get("address") or "").rpartition(":")[2]


def _counts(row: dict[str, Any]) -> str:
    counts: dict[str, int] = row.get("counts") or {}
    return "  ".join(f"{name} {count}" for name, count in list(counts.items())[:5])


@command
def logs(
    home: HomeOption,
    service: Annotated[
        str | None, typer.Argument(help="One service; without it all, by time.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    trace: Annotated[
        str | None,
        typer.Option(
            help="Only lines of one message (with its batch, task and transactions), task or batch."
        ),
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=MAX_LOG_LINES)] = 50,
) -> None:
    """Print structured logs (JSON lines)."""
    place = home_of(home)
    folder = place.root / "logs"
    if not folder.is_dir():
        raise NotRunning(f"no network was ever started here ({folder}): start it with `depin up`")
    known = sorted(path.stem for path in folder.glob("*.jsonl"))
    if service is not None and service not in known:
        raise UnknownRoom(f"no logs of {service!r}: there are {', '.join(known)}")
    files = [folder / f"{name}.jsonl" for name in ([service] if service else known)]
    wanted = None if trace is None else control.trace_of(trace, _message(place, trace))
    for row in control.tail(files, lines, follow=follow, trace=wanted):
        out.print(json.dumps(row, ensure_ascii=False), markup=False, soft_wrap=True)


def _message(place: Home, identifier: str) -> dict[str, Any] | None:
    """Return what the explorer knows of a message; None for another id, or when it is away."""
    try:
        return Api(place).get(f"/messages/{identifier}")
    except DepinError:
        return None


@command
def open_page(
    home: HomeOption,
    path: Annotated[str, typer.Argument(help="A path of the page.")] = "/",
) -> None:
    """Open the page in a browser and print its address."""
    address = home_of(home).addresses().get("explorer")
    if address is None:
        raise NotRunning("the explorer does not run: start the network with `depin up`")
    url = address + "/" + path.lstrip("/")
    out.print(url, markup=False)
    if not webbrowser.open(url):
        out.print("no browser opens here: follow the address above", style="dim")
