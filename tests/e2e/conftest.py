"""One network that all tests of this folder share, started when the first asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from opendepin.network import control
from tests.e2e import networks


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[networks.Network]:
    """Give a running network with the demo's project and devices."""
    running = networks.start(tmp_path_factory.mktemp("network"))
    yield running
    control.down(running.home)
