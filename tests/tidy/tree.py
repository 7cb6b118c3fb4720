"""The committed tree as the tidy tests see it: files, their text, their parsed form."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "opendepin"
TEXT_SUFFIXES = {
    *("", ".cfg", ".css", ".go", ".html", ".in", ".js", ".json", ".lock", ".md", ".mjs", ".mod"),
    *(".py", ".sh", ".sum", ".svg", ".toml", ".txt", ".vy", ".vyi", ".yaml", ".yml"),
}


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file that is committed or would be: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def texts() -> Iterator[tuple[Path, str]]:
    """Give each text file with its content."""
    for path in files():
        if path.suffix in TEXT_SUFFIXES:
            yield path, path.read_text(encoding="utf-8")


def source() -> list[Path]:
    """List the Python files of the product."""
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(SOURCE)]


def contracts() -> list[Path]:
    """List the Vyper files of the product."""
    wanted = {".vy", ".vyi"}
    return [path for path in files() if path.suffix in wanted and path.is_relative_to(SOURCE)]


def parsed(path: Path) -> ast.Module:
    """Parse a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """Name a file as a reader of the repository does."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def module_name(path: Path) -> str:
    """Give the dotted name of a source file."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
