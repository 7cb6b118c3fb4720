"""`depin task list | show`."""

from __future__ import annotations

from typing import Annotated

import typer

from opendepin.cli.output import (
    HomeOption,
    JsonOption,
    command,
    home_of,
    out,
    print_json,
    print_table,
    short,
    value_of,
)
from opendepin.network.trails import Api

app = typer.Typer(no_args_is_help=True)
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="Rows at most.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where the last page ended.")]


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
    found = Api(home_of(home)).get("/tasks", state=state, limit=limit, cursor=cursor)
    if json_:
        print_json(found)
        return
    rows = [
        [short(t["task"]), t["state"], t["batch"], t["segment"], value_of(t["readings"])]
        for t in found["items"]
    ]
    print_table("tasks", ["task", "state", "batch", "segment", "readings"], rows)
    if found["next_cursor"]:
        out.print(f"more: --cursor {found['next_cursor']}", markup=False, style="dim")


@app.command("show")
@command
def show(
    home: HomeOption,
    task: Annotated[str, typer.Argument(help="Task id, 0x and 64 hex digits.")],
    json_: JsonOption = False,
) -> None:
    """Show one task: what was proven, by whom, what it paid."""
    found = Api(home_of(home)).get(f"/tasks/{task}")
    if json_:
        print_json(found)
        return
    for name, value in found.items():
        if not isinstance(value, list):
            out.print(f"{name:<20} {value_of(value)}", markup=False, soft_wrap=True)
    rows = [
        [
            o.get("group") or "",
            o.get("figure") or o["index"],
            o.get("value", o["raw"]),
            o.get("unit", ""),
        ]
        for o in found["outputs"]
        if o["raw"] != "0"
    ]
    print_table("outputs other than 0", ["of", "figure", "value", "unit"], rows)
