"""How every command speaks: tables for people, `--json` for programs, one form of error.

Exit codes: 0 done, 1 we are broken, 2 you asked something wrong, 3 no network runs, 4 a check
failed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, cast

import typer
from rich.console import Console
from rich.table import Table

from opendepin.core.errors import DepinError, Rejected
from opendepin.network.errors import NotRunning
from opendepin.network.home import Home, default_home
from opendepin.verify import BundleRejected

EXIT_BROKEN, EXIT_USAGE, EXIT_NOT_RUNNING, EXIT_CHECK_FAILED = 1, 2, 3, 4
WIDEST = 10_000
"""Characters that no table is wider than."""
ERROR_PAGE = "docs/reference/errors.md"

P = ParamSpec("P")

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="DEPIN_HOME",
        help="Directory of the network.",
        default_factory=default_home,
        show_default="the user's data directory",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


class CheckFailed(Rejected):
    """A check that was asked for does not hold; exit code 4."""

    code = "check-failed"


def home_of(path: Path) -> Home:
    """Return the home at a path, made absolute."""
    return Home(path.expanduser().resolve())


def print_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under columns; numbers to the right, ids whole: a terminal that is too narrow
    wraps the line, so that they can be copied.
    """
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
        justify = "right" if numeric else "left"
        whole = any(_is_id(row[i]) for row in rows)
        table.add_column(column, justify=justify, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*map(said, row))
    if any(_is_id(cell) for row in rows for cell in row):
        width = out.measure(table, options=out.options.update(width=WIDEST)).maximum
        Console(highlight=False, width=max(out.width, width)).print(table)
    else:
        out.print(table)
    if not rows:
        out.print("nothing yet")


def said(value: object) -> str:
    """Return a value as people say it."""
    if value is None:
        return "–"
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


def _is_id(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith("0x") and "…" not in cell


def short(text: str, size: int = 10) -> str:
    """Shorten a hex string for a table."""
    return text if len(text) <= 2 * size else f"{text[: size + 2]}…{text[-4:]}"


def value_of(figure: Any) -> Any:
    """Return the value of an API figure `{value, unit, …}`, or the thing itself."""
    if isinstance(figure, dict):
        return cast(dict[str, Any], figure).get("value", figure)
    return figure


def print_error(error: DepinError) -> None:
    """Print what, why and where to read more."""
    what, _, fix = str(error).partition(": ")
    err.print("error", style="bold red", end=" ")
    err.print(f"[{error.code}] {what if fix else error}", markup=False, soft_wrap=True)
    if fix:
        err.print(f"  {fix}", markup=False, soft_wrap=True)
    err.print(f"  more: {ERROR_PAGE}#{error.code}", markup=False, style="dim", soft_wrap=True)


def exit_code(error: DepinError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, NotRunning):
        return EXIT_NOT_RUNNING
    if isinstance(error, (CheckFailed, BundleRejected)):
        return EXIT_CHECK_FAILED
    return EXIT_USAGE if isinstance(error, Rejected) else EXIT_BROKEN


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Turn our errors into a message and an exit code; `--debug` shows the traceback instead."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except DepinError as error:
            if DEBUG["on"]:
                raise
            print_error(error)
            raise typer.Exit(exit_code(error)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error

    return guarded


DEBUG = {"on": False}
"""Whether `--debug` was given."""
