"""`depin operator join | status | pause | resume | leave`: compute for a network and be paid."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from opendepin.cli.output import HomeOption, JsonOption, command, err, home_of, out, print_json
from opendepin.core.errors import Rejected
from opendepin.core.units import tokens, wei
from opendepin.network import joining
from opendepin.network.membership import State, Wanted

app = typer.Typer(no_args_is_help=True)


class StakeRejected(Rejected):
    """A stake that is no amount of tokens."""

    code = "operator-stake"


@app.command("join")
@command
def join(
    home: HomeOption,
    network: Annotated[
        Path, typer.Option(help="Home of the running network that the operator joins.")
    ],
    stake: Annotated[
        str | None, typer.Option(help="Tokens to bond; the network's minimum without it.")
    ] = None,
    capacity: Annotated[int | None, typer.Option(min=1, max=65_535, help="Tasks at once.")] = None,
    json_: JsonOption = False,
) -> None:
    """Make the operator's own home (--home), bond, and start computing for --network."""
    wanted = Wanted("active", None if stake is None else str(_wei(stake)), capacity)
    found = asyncio.run(joining.join(home_of(home), home_of(network), wanted, _say(json_)))
    _print(found, json_, f"next     depin operator status --home {found['home']}")


def _wei(amount: str) -> int:
    try:
        return wei(amount)
    except ValueError as error:
        raise StakeRejected(f"--stake {amount!r} is no amount of tokens: {error}") from error


@app.command("status")
@command
def status(home: HomeOption, json_: JsonOption = False) -> None:
    """Show the operator's stake, score, tasks and standing."""
    _print(asyncio.run(joining.status(home_of(home))), json_)


@app.command("pause")
@command
def pause(home: HomeOption, json_: JsonOption = False) -> None:
    """Be drawn for no new task; tasks it has are still proven."""
    _ask(home, "paused", json_)


@app.command("resume")
@command
def resume(home: HomeOption, json_: JsonOption = False) -> None:
    """Be drawn again."""
    _ask(home, "active", json_)


@app.command("leave")
@command
def leave(home: HomeOption, json_: JsonOption = False) -> None:
    """Leave for good: the bond comes back after the exit delay and the last task."""
    _ask(home, "left", json_)


def _ask(home: Path, state: State, json_: bool) -> None:
    _print(asyncio.run(joining.ask(home_of(home), state, _say(json_))), json_)


def _say(json_: bool) -> Any:
    def say(text: str) -> None:
        if not json_:
            err.print(text, markup=False, soft_wrap=True)

    return say


def _print(found: dict[str, Any], json_: bool, after: str = "") -> None:
    if json_:
        print_json(found)
        return
    rows = {
        "operator": found["operator"],
        "standing": found["standing"],
        "stake": f"{tokens(int(found['stake_wei']))} tokens",
        "score": f"{found['score']} of 100",
        "tasks": f"{found['tasks']} of {found['capacity']}",
        "balance": f"{tokens(int(found['balance_wei']))} tokens",
        "process": "runs" if found["running"] else "does not run",
    }
    if found["withdrawable_at"]:
        rows["exit"] = f"bond free at Unix time {found['withdrawable_at']}, tasks done"
    for name, value in rows.items():
        out.print(f"{name:<8} {value}", markup=False, soft_wrap=True)
    if after:
        out.print(after, markup=False, soft_wrap=True)
