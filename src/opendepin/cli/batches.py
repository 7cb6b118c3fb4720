"""`depin batch list | show`."""

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
from opendepin.cli.tasks import Cursor, Limit
from opendepin.network.trails import Api

app = typer.Typer(no_args_is_help=True)


@app.command("list")
@command
def list_(
    home: HomeOption, limit: Limit = 20, cursor: Cursor = None, json_: JsonOption = False
) -> None:
    """List batches, newest first."""
    found = Api(home_of(home)).get("/batches", limit=limit, cursor=cursor)
    if json_:
        print_json(found)
        return
    rows = [
        [
            b["number"],
            value_of(b["messages"]),
            value_of(b["size"]),
            b["inbox_block"],
            short(b["header_hash"]),
        ]
        for b in found["items"]
    ]
    print_table("batches", ["batch", "messages", "bytes", "L1 block", "header hash"], rows)
    if found["next_cursor"]:
        out.print(f"more: --cursor {found['next_cursor']}", markup=False, style="dim")


@app.command("show")
@command
def show(
    home: HomeOption,
    number: Annotated[int, typer.Argument(min=1, help="Batch number.")],
    json_: JsonOption = False,
) -> None:
    """Show one batch: header, segments, who attested."""
    found = Api(home_of(home)).get(f"/batches/{number}")
    if json_:
        print_json(found)
        return
    for name, value in found.items():
        if not isinstance(value, list):
            out.print(f"{name:<20} {value_of(value)}", markup=False, soft_wrap=True)
    rows = [
        [s["segment"], s["project"], s["readings"], short(s["root"])] for s in found["segment_list"]
    ]
    print_table("segments", ["segment", "project", "readings", "root"], rows)
