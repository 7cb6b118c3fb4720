"""A sequencer that does not know a project stops its lane; with the file back and the sequencer
started anew, the lane goes on, and everything acknowledged is ordered.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from opendepin.core.errors import DepinError
from opendepin.network import control
from opendepin.network.home import Home
from opendepin.network.trails import Api
from tests.e2e import networks
from tests.e2e.networks import Network, until

pytestmark = [pytest.mark.e2e, pytest.mark.serial, pytest.mark.timeout(400)]

WITHIN = 25
"""Blocks by which the network's receipts promise a batch."""
ORDERED = ("batched", "published", "proven", "settled")


@pytest.fixture
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    running = networks.start(tmp_path_factory.mktemp("lane"), include_within_blocks=WITHIN)
    yield running
    control.down(running.home)


def status(home: Home, service: str) -> dict[str, Any]:
    """Return a service's own status; nothing while it is on its way back."""
    try:
        return httpx.get(home.addresses()[service] + "/v1/status", timeout=5).json()
    except (httpx.HTTPError, KeyError, ValueError):
        return {}


def stage(home: Home, message: str) -> str:
    """Return how far a message came, by the explorer."""
    try:
        return Api(home).get(f"/messages/{message}")["stage"]
    except DepinError:
        return ""


def restart(home: Home, service: str) -> None:
    """Kill a service; its supervisor starts it anew."""
    before = control.state_of(home)["services"][service]["pid"]
    os.kill(before, signal.SIGKILL)

    def anew() -> bool:
        row = control.state_of(home)["services"][service]
        return row["state"] == "ready" and row["pid"] != before

    until(anew, 60, f"{service} to be back")


def test_a_stopped_lane_is_told_and_opened_again(network: Network) -> None:
    home, project = network.home, network.fleet.project
    network.json("device", "new", "tester")
    first = network.json("device", "send", "tester", "--value", "1000")["message_id"]
    file = home.project_file(project)
    until(lambda: stage(home, first) in ORDERED, 60, "the first to be in a batch")
    os.kill(control.state_of(home)["services"]["sequencer"]["pid"], signal.SIGSTOP)
    second = network.json("device", "send", "tester", "--value", "2000")["message_id"]
    away = file.rename(file.with_suffix(".away"))
    restart(home, "sequencer")
    aside = until(lambda: status(home, "sequencer").get("set_aside"), 30, "a group set aside")
    away.rename(file)
    assert aside[0]["code"] == "unknown-project"
    assert not status(home, "gateway")["lanes_stopped"]
    until(lambda: status(home, "gateway").get("lanes_stopped"), 90, "the gateway to notice")
    refused = network.depin("device", "send", "tester", "--value", "3000")
    assert refused.returncode != 0
    assert "is in no batch" in refused.stdout + refused.stderr
    restart(home, "sequencer")
    until(lambda: status(home, "gateway").get("lanes_stopped") == {}, 60, "the lane to go on")
    assert status(home, "sequencer")["set_aside"] == []
    third = network.json("device", "send", "tester", "--value", "4000")["message_id"]
    for message in (first, second, third):
        until(lambda at=message: stage(home, at) in ORDERED, 60, f"{message} to be in a batch")
