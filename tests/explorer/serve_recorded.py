"""Serve the explorer over the recorded history: `python -m tests.explorer.serve_recorded PORT
FOLDER`. It says `READY port`; port 0 takes any.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from opendepin.explorer.adapters.sqlite import SqliteStore
from opendepin.explorer.app import build_app
from opendepin.explorer.assets.build import default_folder
from opendepin.explorer.assets.serving import Assets
from opendepin.explorer.indexer import Indexer
from opendepin.explorer.live import Live
from opendepin.explorer.site import Site
from opendepin.runtime import service
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import ASGI, serve
from opendepin.runtime.service import Stop
from tests.explorer import history


async def main(port: int, folder: Path, stop: Stop) -> None:
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
    await serve(
        cast(ASGI, app), port=port, stop=stop, on_ready=lambda port: service.ready(str(port))
    )


if __name__ == "__main__":
    sys.exit(service.run(lambda stop: main(int(sys.argv[1]), Path(sys.argv[2]), stop)))
