"""Builds one availability store."""

from __future__ import annotations

from opendepin.dims.availability.adapters.chunk_files import FolderOfChunks
from opendepin.dims.availability.config import StoreConfig
from opendepin.dims.availability.node import StoreNode
from opendepin.dims.availability.ports import Views
from opendepin.network.builders.running import run_together
from opendepin.network.home import Home
from opendepin.network.parts import FieldRoots, parts
from opendepin.network.rooms import index_of
from opendepin.runtime.service import Stop, ready
from opendepin.runtime.stagelog import SegmentLog

CONTRACTS = ("Devices", "Projects")


async def run(home: Home, service: str, stop: Stop) -> None:
    """Serve one store until the stop."""
    async with await parts(home, service, CONTRACTS) as built:
        folder, identity = home.room(service), built.identity()
        config = StoreConfig(
            network_id=built.genesis.network_id,
            sequencer=built.genesis.sequencer,
            gateways=frozenset(built.genesis.gateways),
            index=index_of(service, "store"),
            stores=len(built.genesis.attesters),
            data_chunks=built.code.data_chunks,
        )
        node = StoreNode(
            config,
            built.key(),
            code=built.code,
            chunks=FolderOfChunks(folder / "chunks", built.code),
            log=SegmentLog(folder / "log"),
            snapshot=folder / "coverage",
            views=Views(identity, built.projects, FieldRoots(built.engine())),
            others=built.retrieval(),
            clock=built.clock,
            counters=built.counters,
            events=built.log,
        )

        async def face(inner: Stop) -> None:
            await node.run(
                inner, built.port, on_ready=lambda port: ready(f"http://127.0.0.1:{port}")
            )

        await run_together(stop, identity.run, face)
