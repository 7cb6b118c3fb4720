"""What the sequencer stands on in its tests: feeds in memory, true stores in process, a model of
the inbox contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from opendepin.core import keys
from opendepin.core.batch import decode_body, segments_root
from opendepin.core.coverage import Coverage, Step
from opendepin.core.errors import PeerFault
from opendepin.core.field_tree import FieldTree
from opendepin.core.group import Group
from opendepin.core.identity import KeyChange
from opendepin.core.journey import Batched, Published, Reading
from opendepin.core.message import parse
from opendepin.dims.availability.adapters.chunk_files import FolderOfChunks
from opendepin.dims.availability.config import StoreConfig
from opendepin.dims.availability.ports import Views as StoreViews
from opendepin.dims.availability.service import Store
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.errors import InboxRefused
from opendepin.dims.sequencer.intake import Intake
from opendepin.dims.sequencer.ledger import Ledger
from opendepin.dims.sequencer.ports import Earlier, InboxState, Views
from opendepin.dims.sequencer.publishing import Publishing
from opendepin.dims.sequencer.service import Sequencer
from opendepin.runtime.clock import ManualClock, SystemClock
from opendepin.runtime.stagelog import SegmentLog
from opendepin.runtime.telemetry import Counters, log
from tests.dims.availability.world import (
    CODE,
    DATA_CHUNKS,
    GATEWAY,
    GATEWAYS,
    NETWORK,
    SEQUENCER,
    STORES,
    THRESHOLD,
    World,
)


class MemoryFeed:
    """A gateway's feed: the groups it has committed, numbered from 1."""

    def __init__(self) -> None:
        self.groups: list[bytes] = []
        self.away = False

    def put(self, *groups: Group | bytes) -> None:
        self.groups += [each if isinstance(each, bytes) else each.encode() for each in groups]

    async def after(self, number: int, limit: int) -> Sequence[tuple[int, bytes]]:
        if self.away:
            raise PeerFault("the gateway is away")
        return list(enumerate(self.groups, 1))[number : number + limit]


class WorldIdentity:
    """The world's registry behind both rooms' ports."""

    def __init__(self, world: World) -> None:
        self._world, self.final = world, 1000

    def identity_block(self) -> int:
        return self.final

    def history(self, device: bytes) -> Sequence[KeyChange]:
        return self._world.history(device)


class WorldFieldRoots:
    """The world's commitment behind the port; fails when told to."""

    def __init__(self, world: World) -> None:
        self._world, self.fails = world, 0

    async def field_root(self, readings: Sequence[Reading], tree: FieldTree) -> int:
        if self.fails:
            self.fails -= 1
            raise PeerFault("the engine died")
        return self._world.field_root(readings, tree)


@dataclass
class ModelInbox:
    """The rules of `BatchInbox` over a list of blocks that can be rolled back."""

    batches: list[Batched] = field(default_factory=list[Batched])
    attestations: list[tuple[bytes, ...]] = field(default_factory=list[tuple[bytes, ...]])
    queue: list[tuple[Batched, tuple[bytes, ...]]] = field(
        default_factory=list[tuple[Batched, tuple[bytes, ...]]]
    )
    final: int = 0
    held: bool = False
    """Keep what is submitted out of blocks until `mine`."""
    away: bool = False
    submitted: list[int] = field(default_factory=list[int])

    async def state(self) -> InboxState:
        if self.away:
            raise PeerFault("the L1 is away", code="node-away")
        head = self.batches[-1].header.hash() if self.batches else NETWORK
        return InboxState(len(self.batches), head, self.final)

    async def inbox_block(self, number: int) -> int:
        return 100 + number

    async def submit(self, batch: Batched, attestations: Sequence[bytes]) -> None:
        if self.away:
            raise PeerFault("the L1 is away", code="node-away")
        self.submitted.append(batch.header.number)
        if self.held:
            self.queue.append((batch, tuple(attestations)))
        else:
            self.accept(batch, attestations)

    def mine(self) -> None:
        queue, self.queue = self.queue, []
        for batch, marks in queue:
            self.accept(batch, marks)

    def accept(self, batch: Batched, marks: Sequence[bytes]) -> None:
        header, before = batch.header, self.batches[-1].header if self.batches else None
        checks = (
            (header.number == len(self.batches) + 1, "number"),
            (header.parent == (before.hash() if before else NETWORK), "parent"),
            (header.time >= (before.time if before else 0), "time"),
            (segments_root(batch.segments) == header.segments_root, "sequencer"),
            (self._signed(batch), "sequencer"),
            (self._attested(batch, marks), "attesters"),
            (self._continues(batch), "range"),
        )
        for holds, reason in checks:
            if not holds:
                raise InboxRefused(f"the inbox refused: {reason}", reason)
        self.batches.append(batch)
        self.attestations.append(tuple(marks))

    def finalise(self) -> None:
        self.final = len(self.batches)

    def roll_back(self, count: int) -> None:
        del self.batches[count:]
        del self.attestations[count:]
        self.queue.clear()
        self.final = min(self.final, count)

    def _signed(self, batch: Batched) -> bool:
        return keys.recover(batch.header.sequence_digest(), batch.signature) == SEQUENCER.address

    def _attested(self, batch: Batched, marks: Sequence[bytes]) -> bool:
        signers = [keys.recover(batch.header.attest_digest(), mark) for mark in marks]
        known = {key.address for key in STORES}
        ascending = all(a < b for a, b in pairwise(signers))
        return len(signers) >= THRESHOLD and ascending and set(signers) <= known

    def _continues(self, batch: Batched) -> bool:
        covered: dict[tuple[bytes, int], tuple[int, int]] = {}
        for each in [*self.batches, batch]:
            for segment in each.segments:
                for r in segment.ranges:
                    at, block = covered.get((r.gateway, segment.project), (0, 0))
                    if r.first != at + 1 or r.identity_first < block:
                        return False
                    covered[r.gateway, segment.project] = (r.last, r.identity_last)
        return True


class Witness:
    """Remembers every header that anybody outside the sequencer saw, by number."""

    def __init__(self) -> None:
        self.seen: dict[int, set[bytes]] = {}

    def see(self, batch: Batched) -> None:
        self.seen.setdefault(batch.header.number, set()).add(batch.header.hash())

    def forks(self) -> list[int]:
        return [number for number, hashes in self.seen.items() if len(hashes) > 1]


class TrueStores:
    """The availability room's own stores, in process; each recomputes everything."""

    def __init__(self, folder: Path, world: World, witness: Witness) -> None:
        self._witness = witness
        self.alive = set(range(len(STORES)))
        self.stores = [self._store(folder, world, i) for i in range(len(STORES))]

    def _store(self, folder: Path, world: World, index: int) -> Store:
        home = folder / f"store-{index}"
        home.mkdir(parents=True, exist_ok=True)
        config = StoreConfig(
            NETWORK, SEQUENCER.address, GATEWAYS, index, len(STORES), DATA_CHUNKS, 1 << 40
        )
        views = StoreViews(WorldIdentity(world), world, WorldFieldRoots(world))
        return Store(
            config,
            STORES[index],
            CODE,
            FolderOfChunks(home / "chunks", CODE),
            SegmentLog(home / "log"),
            home / "coverage.bin",
            views,
            SystemClock(),
            Counters("store"),
            quiet(),
        )

    async def disperse(self, batch: Batched, earlier: Earlier) -> tuple[bytes, ...]:
        self._witness.see(batch)
        found: dict[bytes, bytes] = {}
        for index in sorted(self.alive):
            store = self.stores[index]
            for number in range(store.position.number + 1, batch.header.number):
                await store.attest(await earlier(number))
            found[store.address] = await store.attest(batch)
        if len(found) < THRESHOLD:
            raise PeerFault("too few stores", code="too-few-attestations")
        return tuple(found[address] for address in sorted(found))

    def close(self) -> None:
        for store in self.stores:
            log = store._log
            assert isinstance(log, SegmentLog)
            log.close()


class SigningStores:
    """Attesters that sign what they are given: where checking is not what is tested."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def disperse(self, batch: Batched, earlier: Earlier) -> tuple[bytes, ...]:
        self._witness.see(batch)
        some = sorted(STORES, key=lambda key: key.address)[:THRESHOLD]
        return tuple(key.sign_recoverable(batch.header.attest_digest()) for key in some)


def quiet() -> Any:
    """A logger that keeps its lines to itself."""
    return log("test", StringIO())


@dataclass
class Bench:
    """A sequencer with all it stands on; `reopen` is what a new process does after a crash."""

    folder: Path
    world: World
    config: SequencerConfig
    witness: Witness = field(default_factory=Witness)
    clock: ManualClock | SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.feeds = {address: MemoryFeed() for address in sorted(GATEWAYS)}
        self.feed = self.feeds[GATEWAY.address]
        self.inbox = ModelInbox()
        self.stores: Any = SigningStores(self.witness)
        self.identity = WorldIdentity(self.world)
        self.roots = WorldFieldRoots(self.world)
        self.published: list[Published] = []
        self.wrap_log: Callable[[SegmentLog], Any] = lambda kept: kept
        self._logs: list[SegmentLog] = []
        self.open()

    def open(self) -> None:
        self._logs = [SegmentLog(self.folder / "sealed"), SegmentLog(self.folder / "asides")]
        views = Views(self.identity, self.world, self.roots, lambda b: CODE.encode(b).data_root)
        counters, events = Counters("sequencer"), quiet()
        every = self.config.snapshot_every
        snapshot = self.folder / "coverage.bin"
        sealed = self.wrap_log(self._logs[0])
        self.ledger = Ledger(NETWORK, sealed, snapshot, every)
        told = (self.clock, counters, events)
        self.intake = Intake(self.config, self.feeds, views, self._logs[1], *told)
        self.publishing = Publishing(
            self.config, self.ledger, self.stores, self.inbox, *told, self.published.append
        )
        self.sequencer = Sequencer(
            self.config,
            SEQUENCER,
            intake=self.intake,
            ledger=self.ledger,
            publishing=self.publishing,
            views=views,
            clock=self.clock,
            counters=counters,
            events=events,
        )
        self.counters = counters

    def close(self) -> None:
        for kept in self._logs:
            kept.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    async def seal_all(self) -> list[Batched]:
        """Seal until the feeds have nothing more, the last batch before its time too."""
        found: list[Batched] = []
        while await self.sequencer.fill() or self.sequencer._packing.taken:
            found.append(await self.sequencer.seal())
        return found


def covered_of(batches: Sequence[Batched]) -> Coverage:
    """The coverage that batches make, recomputed from their bodies alone."""
    found = Coverage()
    for batch in batches:
        step = Step(found)
        for body in decode_body(batch.body, NETWORK):
            for group in body.groups:
                signed = [parse(raw) for raw in group.messages]
                step.take(group.header, [(each.device, each.seq) for each in signed])
        found.apply(step)
    return found
