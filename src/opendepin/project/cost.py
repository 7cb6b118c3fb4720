"""Say which line of a project makes how many constraints; runs inside the sandbox."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")


class LineCost:
    """Counts rows by the project's source line, while a function runs."""

    def __init__(self, folder: Path, rows: Callable[[], int]) -> None:
        self._folder = f"{folder}/"
        self._rows = rows
        self._counted: Counter[tuple[str, int]] = Counter()
        self._at: tuple[str, int] | None = None
        self._seen = 0

    def run(self, function: Callable[[], Result]) -> Result:
        """Call a function and count the rows it makes."""
        self._seen = self._rows()
        sys.settrace(self._trace)
        try:
            return function()
        finally:
            sys.settrace(None)
            self._book()

    def lines(self) -> list[tuple[str, int, int]]:
        """Return file, line and rows, most rows first."""
        return [(*at, rows) for at, rows in self._counted.most_common() if rows]

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self._folder):
            return None
        self._book()
        file = frame.f_code.co_filename[len(self._folder) :]
        self._at = (file, frame.f_lineno)
        return self._trace

    def _book(self) -> None:
        """Count what was made since the last line for that line."""
        now = self._rows()
        if self._at is not None:
            self._counted[self._at] += now - self._seen
        self._seen = now
