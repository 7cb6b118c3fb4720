"""The availability layer: what checking, coding, keeping and attesting cost a store, against the
raw signature rate; and the erasure code against its peer.

Peers, in the same run: `coincurve` verifying the same messages' signatures in one loop (the floor
of any attester), and `zfec` (GPL, so a peer and no part of the product) coding the same bytes.
Every figure is of CPU-seconds of one core but `dispersed`, which is wall-clock over four store
processes on this machine's cores. Field roots are left out here: they are the prover engine's
affair.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import coincurve
import zfec
from coincurve.ecdsa import cdata_to_der, deserialize_compact

from opendepin.core import message
from opendepin.core.batch import SegmentBody, decode_body
from opendepin.core.journey import Batched
from opendepin.dims.availability.service import Store
from tests.dims.availability.fleet import Fleet, layer
from tests.dims.availability.world import CODE, DATA_CHUNKS, NETWORK, World, sealed
from tests.dims.sequencer.ground import TrueStores, Witness

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".build" / "bench" / "availability.json"
SEGMENTS = 16
SEGMENT_MESSAGES = 256
BATCHES = 3
CODED_BYTES = 1 << 20
ROUNDS = 5


def batches(world: World, count: int) -> list[Batched]:
    """Seal the largest batches there are: 16 segments of 256 messages of a project without
    program.
    """
    found: list[Batched] = []
    for _ in range(count):
        bodies = [SegmentBody(2, (world.group(SEGMENT_MESSAGES, 2),)) for _ in range(SEGMENTS)]
        found.append(sealed(world, bodies, found[-1].header if found else None))
    return found


def cpu(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the least CPU-seconds of some rounds: what the machine can, undisturbed."""
    taken: list[float] = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def raw_rate(world: World, raws: Sequence[bytes]) -> float:
    """Return the peer's verifications per CPU-second: parsed keys, ids ready, one loop."""
    aad = message.external_aad(NETWORK, 2)
    keys = {k.address: coincurve.PublicKey(b"\x04" + k.public) for k in world.devices[2]}
    rows = [message.parse(raw) for raw in raws]
    ready = [(keys[m.device], message.message_id(m, aad), m.signature) for m in rows]

    def verify() -> None:
        for key, digest, signature in ready:
            if not key.verify(cdata_to_der(deserialize_compact(signature)), digest, hasher=None):
                raise SystemExit("a signature does not hold")

    return len(ready) / cpu(verify)


def attest_rate(world: World, chain: Sequence[Batched]) -> tuple[float, float]:
    """Return messages per CPU-second of one store, checks, code, chunks, fsync and signature; and
    bytes.
    """

    async def attest(store: Store) -> float:
        taken: list[float] = []
        for batch in chain:
            began = time.process_time()
            await store.attest(batch)
            taken.append(time.process_time() - began)
        return min(taken)

    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        stores = TrueStores(Path(folder), world, Witness())
        least = asyncio.run(attest(stores.stores[0]))
        stores.close()
    return SEGMENTS * SEGMENT_MESSAGES / least, len(chain[0].body) / least


def dispersed(world: World, chain: Sequence[Batched]) -> tuple[float, float]:
    """Return messages a second from sealed to t of n attested, and bytes a second read back."""

    async def go(fleet: Fleet) -> tuple[float, float]:
        async def earlier(number: int) -> Batched:
            return chain[number - 1]

        async with layer(fleet) as port:
            for store in port.stores:
                await store.attest(chain[0])
            began = time.perf_counter()
            for batch in chain[1:]:
                await port.disperse(batch, earlier)
                for store in port.stores:
                    await store.attest(batch)
            took = time.perf_counter() - began
            began = time.perf_counter()
            for batch in chain:
                if await port.read(batch.header) != batch.body:
                    raise SystemExit("another body came back")
            return took, time.perf_counter() - began

    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        fleet = Fleet(Path(folder), world)
        try:
            fleet.start(0, 1, 2, 3)
            took, read = asyncio.run(go(fleet))
        finally:
            fleet.end()
    count = (len(chain) - 1) * SEGMENTS * SEGMENT_MESSAGES
    return count / took, sum(len(batch.body) for batch in chain) / read


def code_rates() -> dict[str, float]:
    """Return MB per CPU-second of coding and of restoring from the last half, ours and the
    peer's.
    """
    body = os.urandom(CODED_BYTES)
    coded = CODE.encode(body)
    last = [coded.chunk(i) for i in range(DATA_CHUNKS, 2 * DATA_CHUNKS)]
    blocks = list(coded.chunks[:DATA_CHUNKS])
    peer, peer_back = zfec.Encoder(DATA_CHUNKS, 2 * DATA_CHUNKS), zfec.Decoder(DATA_CHUNKS, 32)
    parts, numbers = [c.data for c in last], [c.index for c in last]
    work: dict[str, Callable[[], object]] = {
        "encode with Merkle tree": lambda: CODE.encode(body),
        "restore, check, encode again": lambda: CODE.restore(last, coded.data_root, len(body)),
        "zfec encode, no tree": lambda: peer.encode(blocks),
        "zfec restore, no check": lambda: peer_back.decode(parts, numbers),
    }
    return {name: len(body) / cpu(each) / 1e6 for name, each in work.items()}


def main() -> None:
    """Measure, print a table, write the rows."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    world = World(per_project=64)
    chain = batches(world, BATCHES)
    bodies = decode_body(chain[0].body, NETWORK)
    raws = [raw for body in bodies for group in body.groups for raw in group.messages]
    peer = raw_rate(world, raws)
    ours, bytes_rate = attest_rate(world, chain)
    wall, read = dispersed(world, chain)
    rows = {
        "message_bytes": sum(map(len, raws)) / len(raws),
        "batch_bytes": len(chain[0].body),
        "raw_verify_per_cpu_s": peer,
        "attest_per_cpu_s": ours,
        "attest_ratio": ours / peer,
        "attest_mb_per_cpu_s": bytes_rate / 1e6,
        "dispersed_per_s_wall": wall,
        "read_mb_per_s_wall": read / 1e6,
        "code_mb_per_cpu_s": code_rates(),
    }
    for name, value in rows.items():
        print(name, value if isinstance(value, dict) else round(value, 3))
    OUT.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
