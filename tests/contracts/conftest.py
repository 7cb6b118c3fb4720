"""Deployed contracts for this folder's tests, in one EVM that each leaves as it found it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from tests.contracts import settling as settlements
from tests.contracts import world


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    """Give the default sender money; undo at the end whatever a test changes."""
    with boa.env.anchor():
        boa.env.set_balance(boa.env.eoa, world.RICH)
        yield


@pytest.fixture
def burner() -> Any:
    """A Burner nobody has burned anything in."""
    return world.load("Burner")


@pytest.fixture
def projects(burner: Any) -> Any:
    """The registry of projects; it holds project 1 of `world.PROJECT_OWNER`."""
    return world.deploy_projects(burner)


@pytest.fixture
def devices(projects: Any, burner: Any) -> Any:
    """The registry of devices, without any."""
    return world.deploy_devices(projects, burner)


@pytest.fixture
def operators() -> Any:
    """The operators' bonds, without any."""
    return world.deploy_operators()


@pytest.fixture
def attesters() -> Any:
    """Three of `world.ATTESTERS` must sign."""
    return world.deploy_attesters()


@pytest.fixture
def inbox(attesters: Any) -> Any:
    """An inbox before its first batch."""
    return world.deploy_inbox(attesters)


@pytest.fixture
def settling() -> settlements.Settling:
    """A whole settlement: project 1 with money and a program of five outputs, three operators."""
    return settlements.build()
