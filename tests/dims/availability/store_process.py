"""One store as a process of its own, on the world that a file describes; started by the tests,
ended by its pid.

The file is CBOR `[height, [[device, [[status, project, index, public, from_block], …]], …]]` and is
read anew whenever the store asks how far its view of the L1 has come.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from opendepin.core.encodings import cbor_decode, cbor_encode
from opendepin.core.field_tree import FieldTree
from opendepin.core.identity import KeyChange, Status
from opendepin.core.journey import Reading
from opendepin.dims.availability.adapters.chunk_files import FolderOfChunks
from opendepin.dims.availability.adapters.reed_solomon import ReedSolomon
from opendepin.dims.availability.client import StoreClient
from opendepin.dims.availability.config import StoreConfig
from opendepin.dims.availability.node import StoreNode
from opendepin.dims.availability.ports import Views
from opendepin.dims.availability.retrieval import Retrieval
from opendepin.runtime.chance import SystemChance
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.disk import write_atomic
from opendepin.runtime.http import client
from opendepin.runtime.service import Stop, ready, run
from opendepin.runtime.stagelog import SegmentLog
from opendepin.runtime.telemetry import Counters, log
from tests.dims.availability.world import (
    DATA_CHUNKS,
    GATEWAYS,
    NETWORK,
    SEQUENCER,
    STORES,
    World,
    quick_field_root,
)


def write_identity(path: Path, height: int, histories: Mapping[bytes, Sequence[KeyChange]]) -> None:
    rows = [
        [device, [[int(c.status), c.project, c.index, c.public, c.from_block] for c in changes]]
        for device, changes in histories.items()
    ]
    write_atomic(path, cbor_encode([height, rows]))


class FileIdentity:
    """The registry as the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._histories: dict[bytes, list[KeyChange]] = {}

    def identity_block(self) -> int:
        height, rows = cbor_decode(self._path.read_bytes(), 5)
        self._histories = {
            device: [KeyChange(device, Status(c[0]), *c[1:]) for c in changes]
            for device, changes in rows
        }
        return height

    def history(self, device: bytes) -> Sequence[KeyChange]:
        return self._histories.get(device, ())


class QuickFieldRoots:
    """The world's commitment behind the port."""

    async def field_root(self, readings: Sequence[Reading], tree: FieldTree) -> int:
        return quick_field_root(readings, tree)


async def main(stop: Stop) -> None:
    index, port, folder, peers = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    code = ReedSolomon(DATA_CHUNKS)
    config = StoreConfig(
        NETWORK, SEQUENCER.address, GATEWAYS, index, len(STORES), DATA_CHUNKS,
        identity_wait_s=0.3, snapshot_every=3, scrub_every_s=0.5, scrub_pause_s=0.001,
    )  # fmt: skip
    events = log(f"store-{index}", (folder / "log.jsonl").open("a", buffering=1))
    https = [client(address) for address in peers]
    stores = [StoreClient(key.address, http, code) for key, http in zip(STORES, https, strict=True)]
    node = StoreNode(
        config,
        STORES[index],
        code=code,
        chunks=FolderOfChunks(folder / "chunks", code),
        log=SegmentLog(folder / "log"),
        snapshot=folder / "coverage.bin",
        views=Views(FileIdentity(folder.parent / "identity.cbor"), World(), QuickFieldRoots()),
        others=Retrieval(stores, code, SystemChance(), events),
        clock=SystemClock(),
        counters=Counters(f"store-{index}"),
        events=events,
    )
    await node.run(stop, port, on_ready=lambda at: ready(f"http://127.0.0.1:{at}"))
    for http in https:
        await http.aclose()


def entry() -> int:
    return run(main)
