"""Where in the project's own file something happens: what errors and costs point at."""

from __future__ import annotations

import ast
import inspect
import linecache
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType

_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARIES = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
_NOT_THE_PROJECT = (
    *(f"{_PACKAGE / room}/" for room in ("rules", "proofs")),
    *(f"{path}/" for path in _LIBRARIES),
    "<frozen",
)


@dataclass(frozen=True)
class Place:
    """A line of a project, and which part of it was being run."""

    file: str
    line: int
    column: int
    text: str
    """The line, stripped."""

    @property
    def name(self) -> str:
        """The file's name and the line's number."""
        return f"{Path(self.file).name}:{self.line}"


def here() -> Place | None:
    """Return where the innermost frame of the project stands, None outside any project."""
    frame = _project_frame(inspect.currentframe())
    if frame is None:
        return None
    file, line, column = frame.f_code.co_filename, frame.f_lineno, 0
    at = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if at is not None and at[0] is not None:
        line, column = at[0], at[2] or 0
    return Place(file, line, column, linecache.getline(file, line).strip())


def line_here() -> tuple[str, int] | None:
    """Return file and line of the innermost frame of the project; quick, for counting."""
    frame = _project_frame(inspect.currentframe())
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def around(place: Place) -> Iterator[ast.AST]:
    """Give the syntax that encloses a place, innermost first; nothing if the source is not at
    hand.
    """
    try:
        tree = ast.parse("".join(linecache.getlines(place.file)))
    except (SyntaxError, ValueError):
        return
    enclosing = [node for node in ast.walk(tree) if _covers(node, place)]
    yield from sorted(enclosing, key=_extent)


def _covers(node: ast.AST, place: Place) -> bool:
    if not isinstance(node, ast.expr | ast.stmt | ast.comprehension):
        return False
    first = node.target if isinstance(node, ast.comprehension) else node
    last = [node.iter, *node.ifs][-1] if isinstance(node, ast.comprehension) else node
    start = first.lineno, first.col_offset
    end = last.end_lineno or last.lineno, last.end_col_offset or 0
    return start <= (place.line, place.column) < end


def _extent(node: ast.AST) -> tuple[int, int]:
    first = node.target if isinstance(node, ast.comprehension) else node
    last = [node.iter, *node.ifs][-1] if isinstance(node, ast.comprehension) else node
    lines = (getattr(last, "end_lineno", 0) or 0) - getattr(first, "lineno", 0)
    return lines, (getattr(last, "end_col_offset", 0) or 0) - getattr(first, "col_offset", 0)


def _project_frame(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_PROJECT):
        frame = frame.f_back
    return frame
