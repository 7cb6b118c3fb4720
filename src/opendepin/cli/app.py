"""All commands of `depin` under one roof."""

from __future__ import annotations

from typing import Annotated

import typer

from opendepin import __version__
from opendepin.cli import (
    batches,
    demo,
    devices,
    doctor,
    networks,
    operators,
    output,
    projects,
    tasks,
    verifying,
)

app = typer.Typer(
    name="depin",
    help="Run a DePIN network: devices sign, a proof is checked on chain, owners are paid, "
    "and anyone can verify every figure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"depin {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Hold what holds for every command."""
    output.DEBUG["on"] = debug


app.command("demo")(demo.demo)
for function in (projects.new, projects.run, projects.test, projects.deploy):
    app.command(function.__name__)(function)
for function in (networks.up, networks.down, networks.status, networks.logs, networks.open_page):
    app.command(function.__name__.removesuffix("_page"))(function)
app.command("doctor")(doctor.doctor)
app.command("verify")(verifying.verify)
app.command("export")(verifying.export)
app.add_typer(devices.app, name="device", help="Identities of devices, and messages from them.")
app.add_typer(tasks.app, name="task", help="Computations over device data, their proofs, pay.")
app.add_typer(operators.app, name="operator", help="Compute for a network, bonded and paid.")
app.add_typer(batches.app, name="batch", help="Ordered and attested batches of messages.")


def main() -> None:
    """Run the command line."""
    app()
