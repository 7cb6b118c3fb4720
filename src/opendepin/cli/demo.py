"""`depin demo`: the whole line on real recorded readings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from opendepin.cli.output import (
    CheckFailed,
    JsonOption,
    command,
    home_of,
    out,
    print_json,
)
from opendepin.core.units import tokens
from opendepin.demo import run as demo_run
from opendepin.demo.report import Report
from opendepin.demo.view import View
from opendepin.network.errors import HomeRefused
from opendepin.network.home import default_home, write_json
from opendepin.runtime.service import Stop, run

INTERRUPTED = 130
"""Exit code of a demo that was stopped before it had anything to report."""
UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600}


def seconds_of(text: str | None) -> float | None:
    """Read a length such as `90s`, `2m` or `1h`.

    Raises:
        HomeRefused: another form.
    """
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([smh]?)", text)
    if found is None:
        raise HomeRefused(f"{text[:40]!r} is no length: 90s, 2m or 1h", code="usage")
    return float(found[1]) * UNITS[found[2]]


@command
def demo(
    home: Annotated[
        Path | None,
        typer.Option(help="Directory of the demo's network; a new one of its own without it."),
    ] = None,
    length: Annotated[
        str | None,
        typer.Option("--for", help="Stop by itself after 90s, 2m, …; Ctrl-C without it."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    day: Annotated[
        float, typer.Option(min=0.2, max=3_600.0, help="Seconds that a recorded day takes.")
    ] = 4.0,
    capacity: Annotated[
        int, typer.Option(min=8, max=256, help="Readings in one proof, a power of two.")
    ] = demo_run.FULL_CAPACITY,
    json_: JsonOption = False,
) -> None:
    """Start a network, replay 70 air-quality stations, prove, settle and pay; check all of it.

    The readings are true records of 2002 and 2003, replayed time-compressed. Exit 0 only if at
    least one task was proven and settled and every check holds.
    """
    chosen = home if home is not None else demo_run.fresh_home(default_home())
    place = home_of(chosen)
    plan = demo_run.Plan(place, seconds_of(length), day, capacity)
    found: list[Report] = []

    def progress(line: str) -> None:
        if not json_:
            out.print(line, markup=False, soft_wrap=True)

    async def main(stop: Stop) -> None:
        async def watch(tally: demo_run.Tally, inner: Stop) -> None:
            await View(place, out).watch(tally, inner)

        try:
            found.append(await demo_run.run(plan, progress, watch, stop))
        except demo_run.EndedEarly:
            progress("stopped  before the stations reported; nothing is left running")

    code = run(main)
    if not found:
        raise typer.Exit(code or INTERRUPTED)
    if report is not None:
        write_json(report, found[0])
    if json_:
        print_json(found[0])
    else:
        _print(found[0])
    if not found[0]["ok"]:
        failed = [name for name, row in found[0]["checks"].items() if not row["holds"]]
        raise CheckFailed(f"the demo's checks do not hold: {', '.join(failed)}")


def _print(found: Report) -> None:
    for name, row in found["checks"].items():
        mark = "[green]✓[/]" if row["holds"] else "[red]✗[/]"
        out.print(f"{mark} {name:<15}", end=" ")
        out.print(row["why"], markup=False, soft_wrap=True)
    messages, tasks = found["messages"], found["tasks"]
    out.print(
        f"{messages['sent']} readings sent, {messages['settled']} inside settled proofs; "
        f"{tasks['settled']} tasks settled; {tokens(int(found['rewards_wei']))} tokens paid, "
        f"{tokens(int(found['burned_wei']))} burned",
        markup=False,
    )
