"""Compiled contracts: read from the cache, compiled by child processes when they are not there.

In: contract names and a cache folder. Out: `Artifact`s with their interfaces. The compiler runs
only where something is missing, several children at once, and is never imported here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opendepin.chain.abi import Interface
from opendepin.chain.errors import ArtifactsMissing
from opendepin.contracts import sources
from opendepin.core.encodings import keccak256
from opendepin.runtime import processes
from opendepin.runtime.errors import ChildFailed

COMPILERS = 2
"""Compiler processes at once."""
COMPILE_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Artifact:
    """One compiled contract."""

    name: str
    interface: Interface
    bytecode: bytes
    """What makes it, to be followed by the constructor's arguments."""
    runtime: bytes
    """Its code without the immutables, which follow."""
    layout: Mapping[str, Any]
    """Variable → `{"type", "slot"}`; a module's variables stand in a map of its name."""

    @property
    def runtime_hash(self) -> bytes:
        """Keccak of the runtime code without immutables."""
        return keccak256(self.runtime)


def load(name: str, cache: Path) -> Artifact:
    """Read one artifact.

    Raises:
        ArtifactsMissing: it is not in the cache, or is not readable.
    """
    path = sources.artifact_of(name, cache)
    try:
        row = json.loads(path.read_bytes())
        return Artifact(
            row["name"],
            Interface(row["name"], row["abi"]),
            bytes.fromhex(row["bytecode"][2:]),
            bytes.fromhex(row["runtime"][2:]),
            row["layout"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactsMissing(f"{name} is not compiled in {cache}: {error}") from error


async def ensure(names: Sequence[str], cache: Path) -> dict[str, Artifact]:
    """Return the artifacts of these contracts, compiling those that are missing.

    Raises:
        ArtifactsMissing: a contract does not compile; the text is the compiler's.
    """
    gate = asyncio.Semaphore(COMPILERS)
    await asyncio.gather(*(_ensure(name, cache, gate) for name in names))
    return {Path(name).stem: load(name, cache) for name in names}


async def _ensure(name: str, cache: Path, gate: asyncio.Semaphore) -> None:
    try:
        load(name, cache)
    except ArtifactsMissing:
        async with gate:
            argv = [sys.executable, "-m", "opendepin.contracts.compile", str(cache), name]
            await asyncio.to_thread(_compile, name, argv)


def _compile(name: str, argv: Sequence[str]) -> None:
    source_root = sources.ROOT.parent.parent
    try:
        done = processes.run_once(argv, timeout_s=COMPILE_TIMEOUT_S, cwd=source_root)
    except ChildFailed as error:
        raise ArtifactsMissing(f"{name}: the compiler did not run: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise ArtifactsMissing(f"{name} does not compile:\n{said[-2000:]}")
