"""Which contracts there are, and the name of the artifact that a source compiles to.

In: files. Out: paths and hashes; the compiler is not imported. An artifact's name holds a hash of
compiler version, settings and every source its contract can see, so a stale artifact is never read.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent
SHARED = ("interfaces", "modules")
"""Folders a contract may import from."""

EVM_VERSION = "prague"
OPTIMIZE = "gas"
FORM = "1"
"""Version of the artifact's form."""


def names() -> list[str]:
    """Return the names of the package's contracts, sorted."""
    return sorted(path.stem for path in ROOT.glob("*.vy"))


def source_of(name: str) -> Path:
    """Return the source of a contract of the package, or `name` itself when it is the path of a
    `.vy` file.
    """
    return Path(name) if name.endswith(".vy") else ROOT / f"{name}.vy"


def artifact_of(name: str, folder: Path) -> Path:
    """Return where the artifact of a contract stands, or will stand, in the cache folder."""
    source = source_of(name)
    seen = hashlib.sha256(_shared() + source.read_bytes()).hexdigest()
    return folder / f"{source.stem}-{seen[:24]}.json"


@cache
def _shared() -> bytes:
    """Return a hash of what all contracts have in common."""
    total = hashlib.sha256(f"{FORM} {metadata.version('vyper')} {EVM_VERSION} {OPTIMIZE}".encode())
    for folder in SHARED:
        for path in sorted((ROOT / folder).glob("*.vy*")):
            total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.digest()
