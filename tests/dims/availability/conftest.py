"""One fleet of store processes for all tests of the folder; each test goes on where the last one
ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dims.availability.contract import Ground
from tests.dims.availability.fleet import Fleet
from tests.dims.availability.world import World


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    fleet = Fleet(tmp_path_factory.mktemp("stores"), World())
    try:
        yield Ground(fleet)
    finally:
        fleet.end()


@pytest.fixture
async def ground(grounds: Ground) -> Ground:
    await grounds.fresh()
    return grounds
