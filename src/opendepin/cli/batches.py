"""`depin batch list | show`."""

from __future__ import annotations

from typing import Annotated

import typer

from opendepin.cli.listing import Cursor, Limit, Table, print_one, print_page
from opendepin.cli.output import HomeOption, JsonOption, command, home_of, short, value_of

app = typer.Typer(no_args_is_help=True)

BATCHES = Table(
    "batches",
    ["batch", "messages", "bytes", "L1 block", "header hash"],
    lambda b: [
        b["number"],
        value_of(b["messages"]),
        value_of(b["size"]),
        b["inbox_block"],
        short(b["header_hash"]),
    ],
)
SEGMENTS = Table(
    "segments",
    ["segment", "project", "readings", "root"],
    lambda s: [s["segment"], s["project"], s["readings"], short(s["root"])],
)


@app.command("list")
@command
def list_(
    home: HomeOption, limit: Limit = 20, cursor: Cursor = None, json_: JsonOption = False
) -> None:
    """List batches, newest first."""
    print_page(home_of(home), "/batches", BATCHES, json_=json_, limit=limit, cursor=cursor)


@app.command("show")
@command
def show(
    home: HomeOption,
    number: Annotated[int, typer.Argument(min=1, help="Batch number.")],
    json_: JsonOption = False,
) -> None:
    """Show one batch: header, segments, who attested."""
    path = f"/batches/{number}"
    print_one(home_of(home), path, SEGMENTS, lambda found: found["segment_list"], json_=json_)
