"""`depin test`: a project's own tests, and forged witnesses against its circuit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from opendepin.project.building import LIMITS, Built, build
from opendepin.project.errors import TraceRejected
from opendepin.project.suite import Tested
from opendepin.runtime.sandbox.run import Call, run

SUITE = "opendepin.project.suite"
TESTS = "tests"


@dataclass(frozen=True)
class Checked:
    """What the tests of a project said."""

    built: Built
    tests: list[Tested]
    printed: str

    @property
    def holds(self) -> bool:
        """Whether every test passed, and every forgery was refused."""
        return all(each.passed for each in self.tests) and all(
            each.refused for each in self.built.traced.forged
        )


def check(folder: Path, *, walled: bool = True) -> Checked:
    """Run everything that `depin test` runs.

    Raises:
        As `building.build`.
    """
    built = build(folder, forge=True, walled=walled)
    outcome = run(Call(SUITE, "tests", TESTS), folder, LIMITS, walled=walled)
    try:
        found = msgspec.convert(outcome.result, list[Tested])
    except msgspec.ValidationError as error:
        raise TraceRejected(f"the project's tests gave no report: {error}") from error
    return Checked(built, found, outcome.printed)
