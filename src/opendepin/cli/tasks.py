"""`depin task list | show`."""

from __future__ import annotations

from typing import Annotated

import typer

from opendepin.cli.listing import Cursor, Limit, Row, Table, print_one, print_page
from opendepin.cli.output import HomeOption, JsonOption, command, home_of, short, value_of

app = typer.Typer(no_args_is_help=True)

TASKS = Table(
    "tasks",
    ["task", "state", "batch", "segment", "readings"],
    lambda t: [short(t["task"]), t["state"], t["batch"], t["segment"], value_of(t["readings"])],
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
