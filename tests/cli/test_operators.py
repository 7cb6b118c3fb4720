"""The operator commands' errors, and that programs read one JSON document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opendepin.cli.app import app
from opendepin.network import joining

STATUS: dict[str, Any] = {
    "operator": "0x" + "ab" * 20,
    "standing": "active",
    "stake_wei": str(1_500 * 10**18),
    "score": 51,
    "tasks": 1,
    "capacity": 8,
    "kinds": 2,
    "withdrawable_at": None,
    "balance_wei": "5",
    "wanted": "active",
    "running": True,
    "address": "http://127.0.0.1:1",
    "home": "/second",
    "network": "/first",
}


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["operator", *arguments])


@pytest.mark.parametrize("name", ["join", "status", "pause", "resume", "leave"])
def test_each_command_has_help(name: str) -> None:
    found = call(name, "--help")
    assert found.exit_code == 0
    assert "--json" in found.output


@pytest.mark.parametrize("name", ["status", "pause", "resume", "leave"])
def test_a_home_without_operator_is_said_so(tmp_path: Path, name: str) -> None:
    found = call(name, "--home", str(tmp_path))
    assert found.exit_code == 3
    assert "not-running" in found.output


@pytest.mark.parametrize("stake", ["many", "-1", "1e3", "0.0000000000000000001"])
def test_a_stake_is_an_amount_of_tokens(tmp_path: Path, stake: str) -> None:
    place = str(tmp_path / "second")
    found = call("join", "--home", place, "--network", str(tmp_path), f"--stake={stake}")
    assert found.exit_code == 2
    assert "operator-stake" in found.output


def test_a_network_that_does_not_run_is_not_joined(tmp_path: Path) -> None:
    found = call("join", "--home", str(tmp_path / "second"), "--network", str(tmp_path))
    assert found.exit_code == 3
    assert not (tmp_path / "second" / "keys").exists()


@pytest.mark.parametrize("capacity", ["0", "65536"])
def test_a_capacity_is_bounded(tmp_path: Path, capacity: str) -> None:
    found = call("join", "--network", str(tmp_path), "--capacity", capacity)
    assert found.exit_code == 2


def test_the_status_is_for_people_or_for_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def status(_home: object) -> dict[str, Any]:
        return STATUS

    monkeypatch.setattr(joining, "status", status)
    assert json.loads(call("status", "--home", str(tmp_path), "--json").output) == STATUS
    shown = call("status", "--home", str(tmp_path)).output
    assert "1500 tokens" in shown
    assert "1 of 8" in shown
    assert "51 of 100" in shown
