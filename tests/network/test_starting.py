"""A network that cannot come up says so soon, by the words of the service that does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opendepin.network import control
from opendepin.network.errors import StartFailed
from opendepin.network.home import Home
from opendepin.network.supervisor import MOST_STARTS


@pytest.mark.e2e
def test_a_service_that_keeps_ending_ends_the_start(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "founding.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StartFailed, match=r"l1 did not come up: .*founding\.json is malformed"):
        control.up(home, lambda _line: None)
    rows = [json.loads(line) for line in home.log("supervisor").read_text().splitlines()]
    ended = [row for row in rows if row["event"] == "ended" and row["child"] == "l1"]
    assert len(ended) == MOST_STARTS
    assert control.holder(home) is None
