"""A served site and Debian's Chromium with software WebGL."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from opendepin.explorer.adapters.sqlite import SqliteStore
from opendepin.explorer.app import build_app
from opendepin.explorer.assets.build import default_folder
from opendepin.explorer.assets.serving import Assets
from opendepin.explorer.indexer import Indexer
from opendepin.explorer.live import Live
from opendepin.explorer.site import Site
from tests.explorer import history
from tests.explorer.conftest import indexed, site_over

FLAGS = [
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--use-angle=swiftshader"),
    *("--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
]
START_S = 60


@dataclass
class Served:
    """A site on a port, and the world behind it, which a test may let grow."""

    url: str
    world: history.World
    site: Site
    store: SqliteStore
    loop: asyncio.AbstractEventLoop

    def grow(self) -> None:
        """Settle the day that waits, and let the indexer follow."""
        record = self.world.seal()
        self.world.open_and_assign(record)
        self.world.settle(record)
        asyncio.run_coroutine_threadsafe(self._follow(), self.loop).result(START_S)

    async def _follow(self) -> None:
        projects = {history.PROJECT: history.project_sheet()}
        sources = self.world.sources()
        sheet = history.network_sheet()
        indexer = Indexer(self.store, sources, sheet, projects, self.site.live)
        while await indexer.round():
            pass


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The recorded world, served over HTTP by a thread of its own."""
    world, live = history.built(settled=10, sealed=11), Live(1)
    store = asyncio.run(indexed(world, tmp_path_factory.mktemp("site") / "index.sqlite"))
    site, assets = site_over(store, world, live), Assets(default_folder())
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        build_app(site, assets), log_level="warning", timeout_graceful_shutdown=1
    )
    server, loop = uvicorn.Server(config), asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(server.serve(sockets=[listening]),), daemon=True
    )
    thread.start()
    until = time.monotonic() + START_S
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    assert server.started
    port = listening.getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", world, site, store, loop)
    server.should_exit = True
    thread.join(15)
    loop.close()
    listening.close()
    store.close()
    assets.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "these tests need Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    root = Path(__file__).resolve().parents[3]
    return (root / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
