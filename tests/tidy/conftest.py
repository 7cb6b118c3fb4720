"""Tell the shape of the source beside the tidy tests' result."""

from __future__ import annotations

import statistics

import pytest

from tests.tidy import rules, tree


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the source files' sizes beside what we aim at."""
    counts = [path.read_text(encoding="utf-8").count("\n") for path in tree.source()]
    p95 = statistics.quantiles(counts, n=20)[-1]
    aim = f"{rules.AIM_MEDIAN_LINES}/{rules.AIM_P95_LINES}/{rules.MAX_FILE_LINES}"
    terminalreporter.write_line(
        f"source: {len(counts)} files, median/95p/max lines"
        f" {statistics.median(counts):.0f}/{p95:.0f}/{max(counts)} (aim {aim})"
    )
