"""Whole networks for tests: real processes, random ports, a small circuit, quick batches."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from opendepin.demo.project import Fleet, set_up
from opendepin.network import control
from opendepin.network.home import Home
from opendepin.runtime import settings

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".build" / "cache"
"""Compiled contracts and development keys, shared by all tests and runs."""

CAPACITY = 16
"""Readings in one proof: keys in a second, a proof in a tenth of one."""


def small_settings() -> settings.NetworkSettings:
    """Return settings with random ports and short waits."""
    base = settings.NetworkSettings()
    ports = dict.fromkeys(msgspec.structs.asdict(base.ports), 0)
    return msgspec.structs.replace(
        base,
        ports=settings.Ports(**ports),
        sequencer=msgspec.structs.replace(base.sequencer, max_wait_s=2.0),
        compute=msgspec.structs.replace(base.compute, window_s=30),
        messages=msgspec.structs.replace(base.messages, device_rate_per_s=1_000.0),
    )


def environment() -> dict[str, str]:
    """Return the environment of child processes: our cache, no colours."""
    return {**os.environ, "OPENDEPIN_CACHE": str(CACHE), "NO_COLOR": "1", "COLUMNS": "200"}


@dataclass
class Network:
    """A running network with the demo's project."""

    home: Home
    fleet: Fleet

    def depin(self, *arguments: str, home: Home | None = None) -> subprocess.CompletedProcess[str]:
        """Run a `depin` command."""
        return depin(*arguments, "--home", str((home or self.home).root))

    def json(self, *arguments: str) -> Any:
        """Run a command with `--json` that must succeed, and return what it printed."""
        done = self.depin(*arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)


def depin(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a `depin` command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "opendepin.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(),
        cwd=ROOT,
        check=False,
    )


def start(folder: Path, include_within_blocks: int = 120) -> Network:
    """Start a network and set the demo's project up on it."""
    os.environ["OPENDEPIN_CACHE"] = str(CACHE)
    home = Home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = small_settings()
    gateway = msgspec.structs.replace(chosen.gateway, include_within_blocks=include_within_blocks)
    settings.write_default(home.settings, msgspec.structs.replace(chosen, gateway=gateway))
    lines: list[str] = []
    control.up(home, lines.append)
    try:
        return Network(home, asyncio.run(set_up(home, lines.append, CAPACITY)))
    except BaseException:
        control.down(home)
        raise


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for a condition and return its value."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.5)
