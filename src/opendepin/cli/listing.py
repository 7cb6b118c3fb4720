"""What `list` and `show` of every noun share: ask the explorer, print a page of rows or one thing.

In: a path of the explorer's API. Out: its JSON, or tables for people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from opendepin.cli.output import out, print_json, print_table, said, value_of
from opendepin.network.home import Home
from opendepin.network.trails import Api

Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="Rows at most.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where the last page ended.")]
Row = dict[str, Any]

NAME_WIDTH = 20


@dataclass(frozen=True)
class Table:
    """A table over rows of the API."""

    title: str
    columns: Sequence[str]
    cells: Callable[[Row], Sequence[Any]]
    """What stands in the columns for one row."""

    def print(self, rows: Sequence[Row]) -> None:
        """Print it over these rows."""
        print_table(self.title, self.columns, [self.cells(row) for row in rows])


def print_page(
    home: Home, path: str, table: Table, *, json_: bool, **parameters: str | int | None
) -> None:
    """Print one page of what stands at a path, and how to get the next."""
    found = Api(home).get(path, **parameters)
    if json_:
        print_json(found)
        return
    table.print(found["items"])
    if found["next_cursor"]:
        out.print(f"more: --cursor {found['next_cursor']}", markup=False, style="dim")


def print_one(
    home: Home, path: str, table: Table, rows: Callable[[Row], Sequence[Row]], *, json_: bool
) -> None:
    """Print the thing at a path: its members by name, and a table over `rows` of it."""
    found = Api(home).get(path)
    if json_:
        print_json(found)
        return
    for name, value in found.items():
        if not isinstance(value, list):
            out.print(f"{name:<{NAME_WIDTH}} {said(value_of(value))}", markup=False, soft_wrap=True)
    table.print(rows(found))
