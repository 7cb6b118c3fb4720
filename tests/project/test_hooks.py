"""Each template's contract compiles, counts a result of settlement once, and takes no other's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boa
import pytest
from boa import interpret

from opendepin.contracts.sources import ROOT
from opendepin.project.scaffold import scaffold

pytestmark = pytest.mark.contract

RESULTS = {
    "air": [2, 0, 0, 1, 1, 0, 0, 0, *[0] * 12, *[0] * 8],
    "weather": [7, 1, 0, 10, 20, 199, *[0] * 9],
    "blank": [5, 700, 1, 2, 2, 0],
}
TASK, OTHER = b"\1" * 32, b"\2" * 32
PROJECT = 3


@pytest.fixture(params=sorted(RESULTS))
def hook(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Any, str]:
    """A template's contract, and the only address whose results count."""
    template = request.param
    scaffold(tmp_path / "my-net", template)
    settlement = boa.env.generate_address()
    interpret.set_search_paths([str(ROOT)])
    contract = boa.load(str(tmp_path / "my-net" / "contracts" / "Hook.vy"), settlement, PROJECT)
    return template, contract, settlement


def test_it_counts_a_result_once(hook: tuple[str, Any, str]) -> None:
    template, contract, settlement = hook
    with boa.env.prank(settlement):
        contract.on_result(TASK, PROJECT, 1, 0, RESULTS[template])
        with boa.reverts("counted"):
            contract.on_result(TASK, PROJECT, 1, 0, RESULTS[template])
        contract.on_result(OTHER, PROJECT, 2, 0, RESULTS[template])
    if template == "air":
        assert [contract.readings(region) for region in range(4)] == [4, 0, 0, 2]
        assert [contract.over(region) for region in range(4)] == [2, 0, 0, 0]
    elif template == "weather":
        assert [contract.payouts(station) for station in range(3)] == [2, 0, 1]
        assert contract.gusts(1) == 2
        assert contract.rain(2) == 0
    else:
        assert (contract.readings(), contract.total()) == (10, 1_400)


def test_it_takes_no_other_result(hook: tuple[str, Any, str]) -> None:
    template, contract, settlement = hook
    with boa.reverts("settlement"):
        contract.on_result(TASK, PROJECT, 1, 0, RESULTS[template])
    with boa.env.prank(settlement):
        with boa.reverts("project"):
            contract.on_result(TASK, PROJECT + 1, 1, 0, RESULTS[template])
        with boa.reverts("outputs"):
            contract.on_result(TASK, PROJECT, 1, 0, RESULTS[template][:-1])
    assert not contract.counted(TASK)
