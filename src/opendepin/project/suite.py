"""Run a project's own tests; inside the sandbox, like everything of the project's Python.

In: the folder of tests. Out: JSON, one line per test: its name, whether it passed, and why not.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

MAX_WHY = 4_000


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """One test of the project."""

    name: str
    passed: bool
    why: str = ""


class _Collector:
    """A pytest plugin that keeps what became of each test."""

    def __init__(self) -> None:
        self.found: dict[str, Tested] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a phase of a test: the first that fails counts."""
        known = self.found.get(report.nodeid)
        if known is None or known.passed:
            why = report.longreprtext[-MAX_WHY:] if report.failed else ""
            self.found[report.nodeid] = Tested(
                name=report.nodeid, passed=not report.failed, why=why
            )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that could not be read."""
        if report.failed:
            self.found[report.nodeid] = Tested(
                name=report.nodeid, passed=False, why=report.longreprtext[-MAX_WHY:]
            )


def tests(argument: object) -> object:
    """Run the tests of a folder (called inside the sandbox)."""
    folder = Path(str(argument))
    if not folder.is_dir():
        return []
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    collector = _Collector()
    options = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
    pytest.main([*options, "--rootdir=.", str(folder)], plugins=[collector])
    return msgspec.to_builtins(list(collector.found.values()))
