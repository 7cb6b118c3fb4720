"""One availability store: checks a batch whole, keeps its chunks durably, attests, serves.

In: sealed batches, in order of their numbers. Out: attestations and chunks. Promises: no two
headers of one number are ever attested (the record is durable before the signature leaves); nothing
is attested that was not recomputed here; no chunk is served that does not verify under its data
root.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opendepin.core.batch import SegmentBody
from opendepin.core.chunks import Chunk, Coded
from opendepin.core.coverage import Coverage, Step, decode_snapshot, encode_snapshot
from opendepin.core.errors import Broken, DepinError
from opendepin.core.journey import Batched
from opendepin.core.keys import Key
from opendepin.core.readings import CheckedSegment
from opendepin.dims.availability import rules
from opendepin.dims.availability.config import StoreConfig
from opendepin.dims.availability.errors import (
    BatchRefused,
    BatchUnknown,
    ChunkUnknown,
    IdentityBehind,
    RecordsBroken,
)
from opendepin.dims.availability.ports import ChunkFiles, Code, Held, Views
from opendepin.dims.availability.records import Record, decode_record
from opendepin.runtime.clock import Clock
from opendepin.runtime.disk import read, write_atomic
from opendepin.runtime.stagelog import StageLog
from opendepin.runtime.telemetry import Counters


class Store:
    """One store. Its methods are called from one event loop; the heavy checks run in a thread."""

    def __init__(
        self,
        config: StoreConfig,
        key: Key,
        code: Code,
        chunks: ChunkFiles,
        log: StageLog,
        snapshot: Path,
        views: Views,
        clock: Clock,
        counters: Counters,
        events: Any,
    ) -> None:
        self._config, self._key, self._code, self._chunks = config, key, code, chunks
        self._log, self._snapshot, self._views = log, snapshot, views
        self._clock, self._counters, self._events = clock, counters, events
        self._one_at_a_time = asyncio.Lock()
        self._coverage, self._position = self._load()
        self.mine = tuple(range(config.index, code.total, config.stores))
        """Indices of the chunks this store keeps."""

    @property
    def address(self) -> bytes:
        """Address of the key that attests."""
        return self._key.address

    @property
    def position(self) -> rules.Position:
        """Last attested batch."""
        return self._position

    async def attest(self, batch: Batched) -> bytes:
        """Check a batch, keep its chunks, return the signature over its attest digest; see the
        port.
        """
        started = self._clock.monotonic()
        try:
            async with self._one_at_a_time:
                rules.check_sequencer(batch, self._config.network_id, self._config.sequencer)
                if batch.header.number <= self._position.number:
                    self._check_same(batch)
                else:
                    await self._take(batch)
        except DepinError as error:
            self._counters.add(f"refused.{error.code}")
            at = {"trace": batch.header.number, "code": error.code, "text": str(error)}
            self._events.warning("batch refused", **at)
            raise
        self._counters.observe("attest", (self._clock.monotonic() - started) * 1000)
        return self._key.sign_recoverable(batch.header.attest_digest())

    def chunk(self, data_root: bytes, index: int) -> Chunk:
        """Return a chunk that this store keeps, verified.

        Raises:
            ChunkUnknown: it is not one of ours.
            ChunkLost: it has rotted here.
        """
        if index not in self.mine:
            text = f"this store keeps the chunks i with i % {self._config.stores} = "
            raise ChunkUnknown(text + str(self._config.index))
        found = self._chunks.read(data_root, index)
        self._counters.add("chunks.served")
        return found

    def batch(self, number: int) -> Held:
        """Return what is held of an attested batch.

        Raises:
            BatchUnknown: none of this number is attested.
        """
        record = self.record(number)
        attestation = self._key.sign_recoverable(record.header.attest_digest())
        held = (self.address, attestation, self.mine)
        return Held(record.header, record.signature, record.segments, *held)

    def record(self, number: int) -> Record:
        """Return the log's record of an attested batch.

        Raises:
            BatchUnknown: none of this number is attested.
        """
        found = self._log.read(number - 1, 1) if number >= 1 else []
        if not found:
            raise BatchUnknown(
                f"no batch {number} is attested here; the last is {self._position.number}"
            )
        return decode_record(*found[0], self._config.network_id)

    def _load(self) -> tuple[Coverage, rules.Position]:
        """Rebuild the coverage from the newest snapshot and the records after it."""
        number, coverage = 0, Coverage()
        try:
            number, coverage = decode_snapshot(read(self._snapshot))
        except FileNotFoundError:
            pass
        except Broken as error:
            self._events.error(
                "snapshot unreadable, the log is read from its start", text=str(error)
            )
        if number > self._log.last():
            number, coverage = 0, Coverage()
        position = rules.Position.start(self._config.network_id)
        if number:
            at, data = self._log.read(number - 1, 1)[0]
            position = rules.Position.after(decode_record(at, data, self._config.network_id).header)
        while rows := self._log.read(number, 64):
            for at, data in rows:
                record = decode_record(at, data, self._config.network_id)
                record.apply(coverage)
                number, position = at, rules.Position.after(record.header)
        return coverage, position

    def _check_same(self, batch: Batched) -> None:
        """Allow a batch that was attested before, byte for byte the same header."""
        kept = self.record(batch.header.number).header
        if kept.hash() != batch.header.hash():
            text = f"another header of number {kept.number} was attested: 0x{kept.hash().hex()}"
            raise BatchRefused(text, code="second-header")

    async def _take(self, batch: Batched) -> None:
        header = batch.header
        latest = self._clock.now_s() + self._config.max_seconds_ahead
        rules.check_follows(header, self._position, latest)
        coded, bodies = await asyncio.to_thread(self._decode, batch)
        await self._reach(rules.newest_identity_block(bodies))
        checked, step = await asyncio.to_thread(self._check, bodies)
        roots = [await self._field_root(segment) for segment in checked]
        rules.check_segments(batch.segments, checked, roots)
        await asyncio.to_thread(self._keep, batch, coded, step)
        self._coverage.apply(step)
        self._position = rules.Position.after(header)
        self._counters.add("batches")
        self._counters.add("messages", sum(segment.count for segment in batch.segments))
        self._events.info("attested", trace=header.number, header=header.hash())
        if header.number % self._config.snapshot_every == 0:
            data = encode_snapshot(header.number, self._coverage)
            await asyncio.to_thread(write_atomic, self._snapshot, data)

    def _decode(self, batch: Batched) -> tuple[Coded, tuple[SegmentBody, ...]]:
        found: list[Coded] = []

        def data_root(body: bytes) -> bytes:
            found.append(self._code.encode(body))
            return found[0].data_root

        bodies = rules.check_commitments(batch, data_root)
        return found[0], bodies

    async def _reach(self, block: int) -> None:
        """Wait until our view of the L1 has come to an identity block."""
        until = self._clock.monotonic() + self._config.identity_wait_s
        while (height := self._views.identity.identity_block()) < block:
            if self._clock.monotonic() >= until:
                text = f"identity block {block} is not final here, {height} is: send it again"
                raise IdentityBehind(text)
            await self._clock.sleep(self._config.identity_poll_s)

    def _check(self, bodies: Sequence[SegmentBody]) -> tuple[list[CheckedSegment], Step]:
        views = self._views
        known = (self._config.gateways, views.projects.rules, views.identity.history)
        return rules.check_messages(bodies, *known, self._coverage)

    async def _field_root(self, segment: CheckedSegment) -> int:
        tree = self._views.projects.rules(segment.body.project).tree
        if tree is None:
            return 0
        return await self._views.field_roots.field_root(segment.readings, tree)

    def _keep(self, batch: Batched, coded: Coded, step: Step) -> None:
        """Make chunks, then the record durable; only after both may a signature leave."""
        header = batch.header
        if self._log.last() != header.number - 1:
            text = f"the log ends with {self._log.last()} where batch {header.number} is due"
            raise RecordsBroken(text)
        self._chunks.write(header.data_root, [coded.chunk(index) for index in self.mine])
        record = Record(header, batch.signature, batch.segments, step.encode())
        self._log.append([record.encode()])
