"""`depin task list | show | retry`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from opendepin.cli.listing import Cursor, Limit, Row, Table, print_one, print_page
from opendepin.cli.output import (
    HomeOption,
    JsonOption,
    command,
    home_of,
    out,
    print_json,
    value_of,
)
from opendepin.network import retelling

app = typer.Typer(no_args_is_help=True)

TASKS = Table(
    "tasks",
    ["batch", "segment", "readings", "state", "task"],
    lambda t: [t["batch"], t["segment"], value_of(t["readings"]), t["state"], t["task"]],
)
OUTPUTS = Table(
    "outputs other than 0",
    ["of", "figure", "value", "unit"],
    lambda o: [
        o.get("group") or "",
        o.get("figure") or o["index"],
        o.get("value", o["raw"]),
        o.get("unit", ""),
    ],
)


@app.command("list")
@command
def list_(
    home: HomeOption,
    state: Annotated[str | None, typer.Option(help="open, assigned, settled or recalled.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    json_: JsonOption = False,
) -> None:
    """List tasks, newest first."""
    asked = {"state": state, "limit": limit, "cursor": cursor}
    print_page(home_of(home), "/tasks", TASKS, json_=json_, **asked)


@app.command("show")
@command
def show(
    home: HomeOption,
    task: Annotated[str, typer.Argument(help="Task id, 0x and 64 hex digits.")],
    json_: JsonOption = False,
) -> None:
    """Show one task: what was proven, by whom, what it paid."""
    print_one(home_of(home), f"/tasks/{task}", OUTPUTS, _outputs, json_=json_)


def _outputs(task: Row) -> list[Row]:
    return [output for output in task["outputs"] if output["raw"] != "0"]


@app.command("retry")
@command
def retry(
    home: HomeOption,
    task: Annotated[str, typer.Argument(help="Task id, 0x and 64 hex digits.")],
    json_: JsonOption = False,
) -> None:
    """Tell the project's contract a settled result again, after its call failed."""
    found = asyncio.run(retelling.retell(home_of(home), task))
    if json_:
        print_json(found)
    elif found["callback_ok"]:
        out.print("the project's contract took the result")
    else:
        out.print(f"it failed again; see depin task show {task}", markup=False, soft_wrap=True)
