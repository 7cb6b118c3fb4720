"""Say what a saved file changed: outputs, values, constraints."""

from __future__ import annotations

from pathlib import Path

from opendepin.project.building import Built
from opendepin.project.config import FILE

WATCHED = {".py", ".toml", ".csv", ".vy"}
IGNORED = {"__pycache__", ".git", ".venv", "node_modules"}
MAX_FILES = 2_000
MAX_LINES = 20


def stamp(folder: Path) -> dict[str, int]:
    """Return when each file of a project was last written; what has changed differs."""
    found: dict[str, int] = {}
    for path in sorted(folder.rglob("*"))[:MAX_FILES]:
        if path.suffix in WATCHED and not IGNORED & set(path.parts):
            try:
                found[path.relative_to(folder).as_posix()] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # saved by renaming: it is there the next time
    return found


def saved(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Name the files that differ."""
    return sorted(name for name in before | after if before.get(name) != after.get(name))


def differences(old: Built, new: Built) -> list[str]:
    """Return what is different, a line each; empty when nothing is."""
    found: list[str] = []
    if old.circuit_hash != new.circuit_hash:
        change = new.traced.constraints - old.traced.constraints
        found.append(f"circuit  {new.traced.constraints:,} constraints ({change:+,})")
    was = dict(zip(old.traced.names, old.totals(), strict=True))
    now = dict(zip(new.traced.names, new.totals(), strict=True))
    found += [f"new      {name} = {now[name]:,}" for name in now if name not in was]
    found += [f"gone     {name}" for name in was if name not in now]
    found += [
        f"changed  {name} = {now[name]:,}, was {was[name]:,}"
        for name in now
        if name in was and was[name] != now[name]
    ]
    if old.manifest.hash() != new.manifest.hash() and old.circuit_hash == new.circuit_hash:
        found.append(f"{FILE}  another manifest over the same circuit")
    if len(found) > MAX_LINES:
        found = [*found[:MAX_LINES], f"and {len(found) - MAX_LINES} more"]
    return found
