"""Builds the `explorer` service: indexer, API and pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from opendepin.chain.deploy import ORDER
from opendepin.explorer.adapters.sqlite import SqliteStore, copy_index
from opendepin.explorer.app import build_app
from opendepin.explorer.assets.build import default_folder
from opendepin.explorer.assets.serving import Assets
from opendepin.explorer.errors import SourceAway, SourceDisagrees
from opendepin.explorer.indexer import Indexer
from opendepin.explorer.live import Live
from opendepin.explorer.ports import Sources
from opendepin.explorer.sheets import NetworkSheet, ProjectSheet
from opendepin.explorer.site import Site
from opendepin.network.builders.running import run_together
from opendepin.network.home import Home, read_json, write_json
from opendepin.network.labels import labels
from opendepin.network.parts import Parts, parts
from opendepin.network.projects import ProjectFolder
from opendepin.network.rooms import GATEWAY
from opendepin.network.sources.batches import BodySource
from opendepin.network.sources.feeds import FeedSource
from opendepin.network.sources.layer1 import L1Source
from opendepin.network.sources.proofs import ProofSource
from opendepin.network.sources.statuses import ServiceSource
from opendepin.runtime.http import serve
from opendepin.runtime.net import LOOPBACK
from opendepin.runtime.service import Stop, ready
from opendepin.verify import layer1

CONTRACTS = (*ORDER, "CleanAirCover")
POLL_S = 0.5
REBUILD_TRIES = 50
"""Blocks come while two indexes are read: they are compared so often at most."""


class Sheets(Mapping[int, ProjectSheet]):
    """The projects' sheets, found as their files come."""

    def __init__(self, folder: ProjectFolder) -> None:
        self._folder = folder
        self._sheets: dict[int, ProjectSheet] = {}

    def __getitem__(self, project: int) -> ProjectSheet:
        found = self._sheets.get(project)
        if found is None:
            file = self._folder.find(project)
            if file is None:
                raise KeyError(project)
            found = self._sheets[project] = file.sheet()
        return found

    def __iter__(self) -> Iterator[int]:
        return iter([file.project for file in self._folder.all()])

    def __len__(self) -> int:
        return len(self._folder.all())


class Watched:
    """The projects' contracts whose events the index holds from the first block on."""

    def __init__(self, home: Home, folder: ProjectFolder) -> None:
        self._file, self._folder = home.room("explorer") / "watched.json", folder

    def _now(self) -> list[str]:
        return sorted(file.callback for file in self._folder.all())

    def grown(self) -> bool:
        """Say whether there are contracts that the index was not built with."""
        kept: list[str] = read_json(self._file, "new") if self._file.exists() else []
        return self._now() != kept

    def keep(self) -> None:
        """Note that the index is built with all of them, once it was rewound."""
        write_json(self._file, self._now())


def network_sheet(built: Parts) -> NetworkSheet:
    """Return the public part of the trust anchor."""
    genesis, compiled = built.genesis, built.compiled
    tasks = layer1.task_layout(compiled["Settlement"].layout)
    layout = {
        "Devices.history": compiled["Devices"].layout["history"]["slot"],
        "BatchInbox.header_hash": compiled["BatchInbox"].layout["header_hash"]["slot"],
        "BatchInbox.inbox_block": compiled["BatchInbox"].layout["inbox_block"]["slot"],
        "BatchInbox.segment_hash": compiled["BatchInbox"].layout["segment_hash"]["slot"],
        "Operators.snapshots": compiled["Operators"].layout["snapshots"]["slot"],
        "Settlement.tasks": tasks["tasks"]["slot"],
    }
    notice = built.home.notice
    return NetworkSheet(
        network_id=genesis.network_id,
        chain_id=genesis.chain_id,
        genesis_hash=genesis.genesis_hash,
        contracts={name: deployed.address for name, deployed in genesis.contracts.items()},
        code_hashes={name: deployed.code_hash for name, deployed in genesis.contracts.items()},
        sequencer=genesis.sequencer,
        attesters=genesis.attesters,
        threshold=genesis.threshold,
        gateways=genesis.gateways,
        data_chunks=genesis.data_chunks,
        labels=tuple(labels(built.settings)),
        name=built.settings.network.name,
        layout=layout,
        notice=notice.read_text(encoding="utf-8").strip() if notice.exists() else "",
    )


async def run(home: Home, service: str, stop: Stop) -> None:
    """Index and serve pages until the stop."""
    async with await parts(home, service, CONTRACTS) as built:
        store = SqliteStore(_index(home))
        network, sheets = network_sheet(built), Sheets(built.projects)
        live, sources = Live(built.clock.now_ms()), sources_of(built)
        indexer = Indexer(store, sources, network, sheets, live)
        site = Site(store, network, sheets, live, built.clock, sources.proofs, sources.services)
        assets = Assets(default_folder())

        watched = Watched(home, built.projects)

        async def index(inner: Stop) -> None:
            while not inner.is_set():
                busy = False
                if watched.grown():
                    store.rewind(0)  # their events so far were read past
                    watched.keep()
                try:
                    busy = await indexer.round()
                except SourceAway as error:
                    built.log.warning("source away", code=error.code, text=str(error))
                except SourceDisagrees as error:
                    built.log.error("source disagrees", code=error.code, text=str(error))
                await inner.sleep(0 if busy else POLL_S)

        async def face(inner: Stop) -> None:
            app = build_app(site, assets, built.log)
            await serve(app, LOOPBACK, built.port, stop=inner, on_ready=_told)  # pyright: ignore[reportArgumentType]

        try:
            await run_together(stop, index, face)
        finally:
            assets.close()


async def rebuilt_digest(built: Parts, kept: Path, folder: Path) -> tuple[bytes, bytes]:
    """Build an index anew from the sources; return the digests of a copy of the kept one and of
    the new, at the same L1 height as far as the running network lets both be caught there.
    """
    copy_index(kept, folder / "copy.sqlite")
    stores = [SqliteStore(folder / "copy.sqlite"), SqliteStore(folder / "new.sqlite")]
    sources, network, sheets = sources_of(built), network_sheet(built), Sheets(built.projects)
    indexers = [Indexer(store, sources, network, sheets, Live(0)) for store in stores]
    digests = [b"", b""]
    for _ in range(REBUILD_TRIES):
        for indexer in indexers:
            while await indexer.round():
                pass
        digests = [store.digest() for store in stores]
        if digests[0] == digests[1]:
            break
    return digests[0], digests[1]


def sources_of(built: Parts) -> Sources:
    """Return what the explorer reads from."""
    feeds = {built.genesis.gateways[0]: FeedSource(built.http, built.addresses[GATEWAY])}
    return Sources(
        L1Source(built), BodySource(built), feeds, ProofSource(built), ServiceSource(built)
    )


def _index(home: Home) -> Path:
    return home.room("explorer") / "index.sqlite"


def _told(port: int) -> None:
    ready(f"http://{LOOPBACK}:{port}")
