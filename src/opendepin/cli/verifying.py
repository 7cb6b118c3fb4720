"""`depin verify` and `depin export`: recompute a trail, or write it into one file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from opendepin.cli.output import (
    CheckFailed,
    HomeOption,
    JsonOption,
    command,
    home_of,
    out,
    print_json,
)
from opendepin.core.encodings import from_hex
from opendepin.network import trails
from opendepin.network.errors import HomeRefused
from opendepin.network.fleet import id_of_name
from opendepin.runtime.disk import write_atomic
from opendepin.verify import Outcome, Report, Step

MARKS = {
    Outcome.HOLDS: "[green]✓[/]",
    Outcome.FAILS: "[red]✗[/]",
    Outcome.LATE: "[yellow]![/]",
    Outcome.ABSENT: "[dim]·[/]",
}
SHOWN = 100
NOT_SHOWN_BY_THE_PROOF = (
    "The proof shows that the outputs follow from these readings. It does not show that a sensor "
    "told the truth, and device signatures are checked outside the circuit (step body)."
)

Identifier = Annotated[
    str | None,
    typer.Argument(
        help="A message id, a task id, or a device (id or local name): its last message."
    ),
]


@command
def verify(
    home: HomeOption,
    identifier: Identifier = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Check this file instead of asking the network.")
    ] = None,
    genesis: Annotated[
        Path | None, typer.Option(help="Genesis file to believe; the home's own without it.")
    ] = None,
    block_hash: Annotated[
        str | None,
        typer.Option(help="L1 block hash to believe; the home's own L1 is asked without it."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Recompute a trail from raw bytes; exit 4 when any step fails.

    Believed are the genesis file and one L1 block hash, nothing else.
    """
    place = home_of(home)
    if (identifier is None) == (bundle is None):
        raise HomeRefused("give either an id or --bundle FILE", code="usage")
    if bundle is not None and genesis is None and not place.genesis_file.exists():
        raise HomeRefused(
            f"no genesis file to hold it against ({place.genesis_file}): give --genesis FILE",
            code="usage",
        )
    data = (
        _read(bundle)
        if bundle is not None
        else trails.fetch_bundle(place, id_of_name(place, identifier or ""))
    )
    trusted = from_hex(block_hash, 32) if block_hash is not None else _ask(place, data, genesis)
    report = asyncio.run(_check(place, data, genesis, trusted))
    if json_:
        print_json(report.to_json())
    else:
        _print(report)
    if not report.ok:
        failed = ", ".join(step.name for step in report.failed) or "every step is absent"
        raise CheckFailed(f"the trail does not hold: {failed}")
    if trusted is not None or bundle is None:
        _demand_storage(report)


def _demand_storage(report: Report) -> None:
    """Refuse a trail that leaves its storage proofs out where there is a block to hold it against.

    Raises:
        CheckFailed: whoever made the bundle chose what is not checked.
    """
    absent = [step.name for step in report.steps if step.outcome is Outcome.ABSENT]
    if "l1-block" in absent:
        raise CheckFailed("nothing is proven on L1: the bundle has no storage proofs; ask again")


def _ask(place: trails.Home, data: bytes, genesis: Path | None) -> bytes | None:
    """Ask the home's L1 for the block's hash; a file checked elsewhere brings none."""
    if genesis is not None and genesis.resolve() != place.genesis_file.resolve():
        return None
    if not place.addresses_file.exists():
        return None
    return trails.trusted_block_hash(place, data)


async def _check(
    place: trails.Home, data: bytes, genesis: Path | None, trusted: bytes | None
) -> Report:
    anchor = await trails.anchor(genesis or place.genesis_file, trusted)
    return await trails.verify(data, anchor, place)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HomeRefused(f"{path} cannot be read: {error.strerror}", code="file") from error


def _print(report: Report) -> None:
    out.print(f"{report.kind} {report.subject}", markup=False, soft_wrap=True)
    for step in report.steps:
        out.print(f"{MARKS[step.outcome]} {step.name:<18} {step.meaning}")
        for line in _details(step):
            out.print(f"    {line}", markup=False, style="dim", soft_wrap=True)
    for label in report.labels:
        out.print(f"note: {label}", markup=False)
    out.print(NOT_SHOWN_BY_THE_PROOF, markup=False, style="dim")
    for step in report.late:
        out.print(f"[yellow]{step.name}: {step.why}; nothing else is touched by it[/]")
    if report.ok and report.settled:
        out.print("[green]every step holds, down to the L1's state[/]")
    elif report.ok:
        out.print(
            "[yellow]what there is of the trail holds; the absent steps say what is missing[/]"
        )


def _details(step: Step) -> list[str]:
    if step.outcome is Outcome.ABSENT:
        return [step.why]
    if step.outcome is Outcome.FAILS:
        lines = [step.why]
        if step.computed or step.expected:
            lines += [f"computed {step.computed}", f"expected {step.expected}"]
        return lines
    same = step.computed == step.expected
    values = step.computed if same else f"{step.computed} against {step.expected}"
    late = [step.why] if step.outcome is Outcome.LATE else []
    return [*late, f"{values[:SHOWN]} ({step.source})"]


@command
def export(
    home: HomeOption,
    identifier: Annotated[
        str, typer.Argument(help="A message id, a task id, or a device (id or local name).")
    ],
    file: Annotated[
        Path | None, typer.Option("--file", "-o", help="Where to; bundle-<id>.json without it.")
    ] = None,
) -> None:
    """Write one file that verifies offline on another machine (`depin verify --bundle`)."""
    place = home_of(home)
    identifier = id_of_name(place, identifier)
    data = trails.with_program(place, trails.fetch_bundle(place, identifier))
    target = file or Path(f"bundle-{identifier[2:14]}.json")
    try:
        write_atomic(target, data)
    except OSError as error:
        raise HomeRefused(f"cannot write {target}: {error.strerror}", code="file") from error
    trusted = trails.trusted_block_hash(place, data)
    out.print(f"{target}  ({len(data):,} bytes)", markup=False)
    out.print("check it anywhere, with the genesis file and a block hash you trust:", markup=False)
    hash_option = f" --block-hash 0x{trusted.hex()}" if trusted is not None else ""
    out.print(
        f"  depin verify --bundle {target} --genesis {place.genesis_file}{hash_option}",
        markup=False,
        soft_wrap=True,
    )
