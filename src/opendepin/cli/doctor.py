"""`depin doctor`: what this machine lacks, in one sentence each, with the way to get it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from opendepin.chain.program import find_anvil
from opendepin.cli.output import (
    EXIT_CHECK_FAILED,
    HomeOption,
    JsonOption,
    command,
    home_of,
    out,
    print_json,
)
from opendepin.core.errors import DepinError
from opendepin.explorer.assets.build import default_folder
from opendepin.network.control import holder
from opendepin.network.home import Home
from opendepin.network.rooms import services
from opendepin.proofs.zk.engine import locate
from opendepin.runtime import settings
from opendepin.runtime.net import is_free

MIN_FREE_BYTES = 1 << 30
MIN_PYTHON = (3, 11)

Check = Callable[[Home], tuple[bool, str]]


def _python(_home: Home) -> tuple[bool, str]:
    have = ".".join(str(part) for part in sys.version_info[:3])
    return sys.version_info >= MIN_PYTHON, f"Python {have}; 3.11 or newer is needed"


def _engine(_home: Home) -> tuple[bool, str]:
    try:
        return True, f"proof engine {locate()}"
    except DepinError as error:
        return False, str(error)


def _anvil(_home: Home) -> tuple[bool, str]:
    try:
        return True, f"embedded L1 {find_anvil((Path(__file__).resolve().parents[3], Path.cwd()))}"
    except DepinError as error:
        return False, str(error)


def _assets(_home: Home) -> tuple[bool, str]:
    folder = default_folder()
    found = (folder / "manifest.json").exists()
    return found, f"page assets {folder}" if found else f"no page assets in {folder}: `make setup`"


def _disk(home: Home) -> tuple[bool, str]:
    place = next(p for p in (home.root, *home.root.parents) if p.exists())
    free = shutil.disk_usage(place).free
    return free >= MIN_FREE_BYTES, f"{free >> 20:,} MiB free at {place}; 1,024 are needed"


def _settings(home: Home) -> tuple[bool, str]:
    if not home.settings.exists():
        return True, "no network.toml yet; `depin up` writes it with defaults"
    try:
        settings.load(home.settings)
    except DepinError as error:
        return False, str(error)
    return True, f"{home.settings} reads well"


def _running(home: Home) -> tuple[bool, str]:
    pid = holder(home)
    if pid is not None:
        return True, f"a network runs here (process {pid})"
    if home.addresses_file.exists():
        return True, "a network ended here without cleaning up; the next `depin up` does"
    return True, "no network runs here"


def _ports(home: Home) -> tuple[bool, str]:
    if holder(home) is not None:
        return True, "ports are in use by this network"
    chosen = settings.NetworkSettings()
    taken = [s.port for s in services(chosen) if s.port and not is_free(s.port)]
    if taken:
        return True, f"ports {', '.join(map(str, taken))} are taken; the next free ones are used"
    return True, "all default ports are free"


CHECKS: dict[str, Check] = {
    "python": _python,
    "proof-engine": _engine,
    "l1-engine": _anvil,
    "page-assets": _assets,
    "disk": _disk,
    "settings": _settings,
    "network": _running,
    "ports": _ports,
}


@command
def doctor(home: HomeOption, json_: JsonOption = False) -> None:
    """Check what a network needs on this machine; exit 4 when something is missing."""
    place = home_of(home)
    found = {name: check(place) for name, check in CHECKS.items()}
    if json_:
        print_json({name: {"ok": ok, "detail": detail} for name, (ok, detail) in found.items()})
    else:
        for name, (ok, detail) in found.items():
            mark = "[green]✓[/]" if ok else "[red]✗[/]"
            out.print(f"{mark} {name:<13}", end=" ")
            out.print(detail, markup=False, soft_wrap=True)
    if not all(ok for ok, _ in found.values()):
        raise typer.Exit(EXIT_CHECK_FAILED)
