"""`depin new | run | test | deploy`: a project of one's own, from template to settled task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from opendepin.cli.output import (
    CheckFailed,
    HomeOption,
    JsonOption,
    command,
    err,
    home_of,
    out,
    print_error,
    print_json,
    print_table,
)
from opendepin.core.encodings import to_hex
from opendepin.core.errors import Rejected
from opendepin.network import control
from opendepin.network.home import Home
from opendepin.project import sending
from opendepin.project.building import Built, build
from opendepin.project.changes import differences, saved, stamp
from opendepin.project.checking import Checked, check
from opendepin.project.config import Figure
from opendepin.project.deploying import Deployed
from opendepin.project.deploying import deploy as deploy_project
from opendepin.project.scaffold import scaffold, templates
from opendepin.runtime.clock import pause
from opendepin.runtime.sandbox.run import WEAKER_MODE

WATCH_POLL_S = 0.3
NOTE = (
    "The proof shows that the outputs follow from the readings, not that a sensor told the truth."
)

FolderOption = Annotated[
    Path, typer.Option("--project", help="The project's folder.", show_default="this folder")
]
UnsafeOption = Annotated[
    bool,
    typer.Option(
        "--unsafe-no-sandbox",
        help="Run the project's Python with your rights where the kernel has no sandbox: only for "
        "code that you wrote or read yourself.",
    ),
]


@command
def new(
    name: Annotated[str, typer.Argument(help="Its name and folder: small letters, digits, -.")],
    template: Annotated[
        str, typer.Option("--template", "-t", help=f"One of {', '.join(templates())}.")
    ] = "blank",
    title: Annotated[str | None, typer.Option(help="What readers see; made of the name.")] = None,
    json_: JsonOption = False,
) -> None:
    """Make a project: depin.toml, project.py with the rule, a contract, tests, sample data.

    `air` counts days over the EU limit of PM10 per region, `weather` covers gusts and rain by the
    hour, `blank` counts and adds up; all run on recorded data at once.
    """
    folder = Path(name)
    written = scaffold(folder.resolve(), template, title)
    if json_:
        print_json({"folder": str(folder.resolve()), "template": template, "files": written})
        return
    for each in written:
        out.print(f"  {folder / each}", markup=False)
    out.print(f"next  cd {folder} && depin run   ·   depin test   ·   depin deploy", markup=False)


def label(walled: bool) -> None:
    """Say on stderr that the weaker mode is on."""
    if not walled:
        err.print(f"[bold red]warning[/] {WEAKER_MODE}")


@command
def run(
    folder: FolderOption = Path(),
    cost: Annotated[bool, typer.Option("--cost", help="Constraints per source line.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Again whenever a file is saved.")
    ] = False,
    unsafe: UnsafeOption = False,
    json_: JsonOption = False,
) -> None:
    """Trace the rule and compute it over the sample data, without a chain.

    Prints the outputs over the whole sample, the constraints, and estimates of a proof's time and a
    settlement's gas. The project's Python runs in a sandbox.
    """
    label(not unsafe)
    built = None if watch else build(folder.resolve(), cost=cost, walled=not unsafe)
    if built is None:
        _watch(folder.resolve(), cost, not unsafe, json_)
        return
    if json_:
        print_json(_json(built))
    else:
        _print(built, cost)


def _watch(folder: Path, cost: bool, walled: bool, json_: bool) -> None:
    """Build again after each save, until Ctrl-C."""
    known: Built | None = None
    seen: dict[str, int] = {}
    while True:
        now = stamp(folder)
        if now == seen:
            pause(WATCH_POLL_S)
            continue
        files, seen = saved(seen, now), now
        try:
            built = build(folder, cost=cost, walled=walled)
        except Rejected as error:
            print_error(error)
            continue
        changed = [] if known is None else differences(known, built)
        if json_:
            print_json(_json(built) | {"changed": changed})
        elif known is None:
            _print(built, cost)
        else:
            out.print(f"{', '.join(files)} saved", markup=False)
            for line in changed or ["nothing changed"]:
                out.print(f"  {line}", markup=False)
        known = built


def _json(built: Built) -> dict[str, Any]:
    totals = dict(zip(built.traced.names, map(str, built.totals()), strict=True))
    found: dict[str, Any] = {
        "name": built.config.project.name,
        "readings": len(built.sample.rows),
        "tasks": len(built.traced.results),
        "outputs": totals,
        "capacity": built.config.program.capacity,
        "constraints": built.traced.constraints,
        "circuit": to_hex(built.circuit_hash),
        "estimate": {"proof_s": round(built.proof_s, 2), "gas": built.gas},
        "printed": built.printed,
        "seconds": round(built.seconds, 2),
    }
    if built.traced.cost:
        found["cost"] = [
            {"file": file, "line": line, "rows": rows} for file, line, rows in built.traced.cost
        ]
        found["rows_before_the_rule"] = built.traced.shared
    return found


def _print(built: Built, cost: bool) -> None:
    if built.printed:
        out.print(built.printed.rstrip(), markup=False, style="dim")
    figures = {each.name: each for each in built.config.outputs}
    rows = [
        _row(name, value, figures)
        for name, value in zip(built.traced.names, built.totals(), strict=True)
    ]
    tasks = len(built.traced.results)
    title = f"{built.config.project.title} · {len(built.sample.rows)} readings · {tasks} tasks"
    print_table(title, ["output", "of", "value", "unit"], rows)
    program = built.config.program
    out.print(
        f"circuit  {built.traced.constraints:,} constraints for {program.capacity} readings, "
        f"{to_hex(built.circuit_hash)[:18]}…",
        markup=False,
    )
    out.print(
        f"estimate {built.proof_s:.2f} s a proof on two cores, {built.gas:,} gas to settle, "
        "without the hook",
        markup=False,
    )
    if cost:
        _print_cost(built)
    out.print(NOTE, style="dim")
    out.print("next     depin test   ·   depin deploy", markup=False)


def _row(name: str, value: int, figures: dict[str, Figure]) -> list[object]:
    base, _, rest = name.partition("[")
    index = int(rest[:-1]) if rest else None
    figure = figures.get(base)
    scale, unit = (figure.scale, figure.unit) if figure else (0, "")
    shown = f"{value / 10**scale:,.{scale}f}" if scale else f"{value:,}"
    group: object = "" if index is None else index
    if figure and index is not None and index < len(figure.groups):
        group = figure.groups[index]
    return [base, group, shown, unit]


def _print_cost(built: Built) -> None:
    rows: list[list[object]] = [
        [f"{file}:{line}", count, _source(built.folder / file, line)]
        for file, line, count in built.traced.cost
    ]
    rows.append(["unpacking", built.traced.shared, "words of a reading into its fields"])
    print_table("constraints per reading", ["line", "rows", "source"], rows)


def _source(path: Path, line: int) -> str:
    try:
        return path.read_text(encoding="utf-8").splitlines()[line - 1].strip()[:80]
    except (OSError, IndexError, UnicodeDecodeError):
        return ""


@command
def test(
    folder: FolderOption = Path(), unsafe: UnsafeOption = False, json_: JsonOption = False
) -> None:
    """Run the project's own tests and try forged witnesses on its circuit; exit 4 if one fails.

    Forged are each output by one up and down, and a reading left out, counted twice, or changed.
    """
    label(not unsafe)
    found = check(folder.resolve(), walled=not unsafe)
    if json_:
        print_json(
            {
                "ok": found.holds,
                "tests": [{"name": t.name, "passed": t.passed, "why": t.why} for t in found.tests],
                "forged": [
                    {"attempt": f.attempt, "refused": f.refused, "by": f.by}
                    for f in found.built.traced.forged
                ],
            }
        )
    else:
        _print_tests(found)
    if not found.holds:
        raise CheckFailed("the project's tests do not all pass: see above")


def _print_tests(found: Checked) -> None:
    for each in found.tests:
        out.print("[green]✓[/]" if each.passed else "[red]✗[/]", end=" ")
        out.print(each.name, markup=False)
        if each.why:
            out.print(each.why, markup=False, style="dim")
    if not found.tests:
        out.print("[yellow]![/] the project has no tests of its own in tests/")
    honest, *forged = found.built.traced.forged
    taken = [each for each in forged if not each.refused]
    out.print(f"{'[green]✓[/]' if honest.refused else '[red]✗[/]'} {honest.attempt}")
    out.print(
        f"{'[red]✗[/]' if taken else '[green]✓[/]'} {len(forged) - len(taken)} of {len(forged)} "
        "forged witnesses are refused"
    )
    for each in taken:
        out.print(f"  taken: {each.attempt}", markup=False)


@command
def deploy(
    home: HomeOption,
    folder: FolderOption = Path(),
    send: Annotated[
        bool, typer.Option(help="Send one task's worth of the sample and wait for the result.")
    ] = True,
    unsafe: UnsafeOption = False,
    json_: JsonOption = False,
) -> None:
    """Put the project onto a network, which is started when none runs, and show a settled task.

    Makes the circuit's keys, registers project and devices, deploys verifier and hook, funds the
    escrow, sends readings of the sample signed by the devices' keys, waits until they are proven
    and settled. Said again it repeats nothing but the sending.
    """
    label(not unsafe)
    place = home_of(home)

    def progress(line: str) -> None:
        if not json_:
            out.print(line, markup=False, soft_wrap=True)

    built = build(folder.resolve(), walled=not unsafe)
    progress(
        f"rule     {built.traced.constraints:,} constraints, {len(built.traced.names)} outputs"
    )
    control.up(place, progress)
    deployed, task = asyncio.run(_deploy(place, built, progress, send=send))
    if json_:
        print_json(
            {
                "project": deployed.project,
                "title": deployed.file.title,
                "program": deployed.file.program_id,
                "verifier": deployed.file.verifier,
                "hook": deployed.file.callback,
                "devices": list(deployed.devices),
                "fresh": deployed.fresh,
                "home": str(place.root),
                "page": place.addresses().get("explorer"),
                "task": task,
            }
        )
        return
    if task is not None:
        _print_task(task)
    out.print(f"page     {place.addresses().get('explorer')}", markup=False)
    name = built.config.project.name
    out.print(
        f"next     depin device new {name}-mine --project {name}   ·   depin task list"
        "   ·   depin down",
        markup=False,
        soft_wrap=True,
    )


async def _deploy(
    place: Home, built: Built, progress: Callable[[str], None], *, send: bool
) -> tuple[Deployed, dict[str, Any] | None]:
    deployed = await deploy_project(place, built, progress)
    if not deployed.fresh:
        progress(f"project  {deployed.project} is deployed in this version already")
    if not send:
        return deployed, None
    taken = await sending.send(place, built, deployed, built.config.program.capacity)
    progress(f"sent     {taken} readings of the sample, signed by {len(deployed.devices)} devices")
    return deployed, await sending.settled(place, deployed.project, progress)


def _print_task(task: dict[str, Any]) -> None:
    rows: list[list[object]] = [
        [
            each.get("figure") or each["index"],
            each.get("group") or "",
            each.get("value", each["raw"]),
            each.get("unit", ""),
        ]
        for each in task["outputs"]
        if each["raw"] != "0"
    ]
    print_table("settled", ["output", "of", "value", "unit"], rows)
    out.print(f"verify   depin verify {task['task']}", markup=False, soft_wrap=True)
