"""The recorded history behind a site, shared by the explorer's tests."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from opendepin.explorer.adapters.sqlite import SqliteStore
from opendepin.explorer.app import build_app
from opendepin.explorer.assets.build import default_folder
from opendepin.explorer.assets.serving import Assets
from opendepin.explorer.indexer import Indexer
from opendepin.explorer.live import Live
from opendepin.explorer.site import Site
from opendepin.runtime.clock import ManualClock
from tests.explorer import history


@dataclass(frozen=True)
class Recorded:
    """A fully indexed world."""

    world: history.World
    store: SqliteStore
    site: Site


async def indexed(world: history.World, path: Path, live: Live | None = None) -> SqliteStore:
    """Return an index of a whole world."""
    store = SqliteStore(path)
    projects = {history.PROJECT: history.project_sheet()}
    sheet, told = history.network_sheet(), live or Live(1)
    indexer = Indexer(store, world.sources(), sheet, projects, told)
    while await indexer.round():
        pass
    return store


def site_over(store: SqliteStore, world: history.World, live: Live) -> Site:
    """Return a site over an index."""
    projects = {history.PROJECT: history.project_sheet()}
    sheet, proofs = history.network_sheet(), world.sources().proofs
    return Site(store, sheet, projects, live, ManualClock(), proofs)


@pytest.fixture(scope="session")
def world() -> history.World:
    """Twelve days: ten settled, one being proven, one only admitted."""
    return history.built(settled=10, sealed=11)


@pytest.fixture(scope="session")
def index_file(world: history.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's index, made once; tests that change it take a copy."""
    path = tmp_path_factory.mktemp("explorer") / "index.sqlite"
    store = asyncio.run(indexed(world, path))
    store.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path


@pytest.fixture
def recorded(world: history.World, index_file: Path, tmp_path: Path) -> Iterator[Recorded]:
    """The world and an index of its own for this test."""
    path = tmp_path / "index.sqlite"
    shutil.copy(index_file, path)
    store = SqliteStore(path)
    yield Recorded(world, store, site_over(store, world, Live(1)))
    store.close()


@pytest.fixture(scope="session")
def assets() -> Iterator[Assets]:
    """The built assets."""
    found = Assets(default_folder())
    yield found
    found.close()


@pytest.fixture(scope="session")
def client(
    world: history.World, index_file: Path, assets: Assets
) -> Iterator[TestClient[Litestar]]:
    """A visitor of the recorded site."""
    store = SqliteStore(index_file)
    app = build_app(site_over(store, world, Live(1)), assets)
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found
    store.close()
