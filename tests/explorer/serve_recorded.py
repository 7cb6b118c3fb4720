"""Serve the explorer over the recorded history: `python -m tests.explorer.serve_recorded PORT
FOLDER`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn

from opendepin.explorer.adapters.sqlite import SqliteStore
from opendepin.explorer.app import build_app
from opendepin.explorer.assets.build import default_folder
from opendepin.explorer.assets.serving import Assets
from opendepin.explorer.indexer import Indexer
from opendepin.explorer.live import Live
from opendepin.explorer.site import Site
from opendepin.runtime.clock import SystemClock
from tests.explorer import history


async def main(port: int, folder: Path) -> None:
    world = history.built(settled=10, sealed=11)
    live = Live(1)
    store = SqliteStore(folder / "index.sqlite")
    projects = {history.PROJECT: history.project_sheet()}
    sheet, sources = history.network_sheet(), world.sources()
    indexer = Indexer(store, sources, sheet, projects, live)
    while await indexer.round():
        pass
    site = Site(store, sheet, projects, live, SystemClock(), sources.proofs)
    app = build_app(site, Assets(default_folder()))
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="warning"))
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
