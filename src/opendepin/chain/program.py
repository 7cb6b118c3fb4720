"""Where the embedded engine's program is, and whether it is the version we know the traps of."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from opendepin.chain.errors import EngineMissing
from opendepin.runtime import processes
from opendepin.runtime.errors import ChildFailed

VERSION = "1.7.1"


def find_anvil(roots: Sequence[Path]) -> Path:
    """Return the program: from a `node_modules` in or above one of `roots`, else from the PATH.

    Raises:
        EngineMissing: it is nowhere.
    """
    for root in roots:
        for folder in (root, *root.parents):
            for found in sorted(folder.glob("node_modules/@foundry-rs/anvil-*/bin/anvil")):
                return found
    on_path = shutil.which("anvil")
    if on_path is None:
        raise EngineMissing(
            "the embedded L1 needs anvil, which is not installed: run `make setup` in the "
            "checkout, "
            f"or install Foundry {VERSION} so that `anvil` is on PATH"
        )
    return Path(on_path)


async def check_version(binary: Path) -> None:
    """Check that the program is the one version we know the traps of.

    Raises:
        EngineMissing: it does not run, or is another version.
    """
    try:
        done = await asyncio.to_thread(processes.run_once, [str(binary), "--version"])
    except ChildFailed as error:
        raise EngineMissing(f"{binary} does not run: {error}", code="engine-broken") from error
    words = done.stdout.decode(errors="replace").split()
    if VERSION not in words:
        said = " ".join(words[:3]) or "nothing"
        raise EngineMissing(
            f"{binary} is not anvil {VERSION}: it says {said}", code="engine-version"
        )
