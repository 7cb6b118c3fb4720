"""The indexer: follows L1 logs, batch bodies and gateway feeds with a cursor each, and rewinds
when the L1 does.

In: the ports of `ports.py`. Out: rows through `store.Writer`, live events through `live.Live`.
Promise: a round may be
stopped anywhere and repeated; an index that followed every reorg equals one built from scratch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opendepin.core.batch import decode_body, segments_root
from opendepin.core.errors import Rejected
from opendepin.core.group import Group, decode_group
from opendepin.core.message import external_aad, message_id, parse
from opendepin.core.schema import OBSERVED, Value
from opendepin.explorer.config import BODIES_PER_ROUND, GROUPS_PER_ROUND, L1_SPAN
from opendepin.explorer.errors import SourceDisagrees
from opendepin.explorer.events import row_of
from opendepin.explorer.live import Live
from opendepin.explorer.ports import BatchRecord, L1Block, L1Event, SettleCall, Sources
from opendepin.explorer.sheets import NetworkSheet, ProjectSheet
from opendepin.explorer.store import BatchRows, EventRow, GroupRows, MessageRow, Writer

NO_BLOCK = -1
"""Height before the first block."""


class Indexer:
    """Brings an index up to its sources, one bounded round at a time."""

    def __init__(
        self,
        store: Writer,
        sources: Sources,
        network: NetworkSheet,
        projects: Mapping[int, ProjectSheet],
        live: Live,
    ) -> None:
        self._store = store
        self._sources = sources
        self._network = network
        self._projects = projects
        self._live = live

    async def round(self) -> bool:
        """Read one bounded piece of every source; return whether there may be more at once.

        Raises:
            SourceAway: a source did not answer; what was read before stays.
            SourceDisagrees: a source contradicts the L1; what was read before stays.
        """
        busy = await self.follow_l1()
        busy |= await self.read_bodies()
        for gateway in self._sources.feeds:
            busy |= await self.read_feed(gateway)
        return busy

    async def follow_l1(self) -> bool:
        """Rewind to the L1's own chain if it left ours, then read the next span of blocks and
        logs.
        """
        head = await self._sources.l1.head()
        at = await self._common_height(head)
        last = min(head.height, at + L1_SPAN)
        if last <= at:
            return False
        blocks = await self._sources.l1.blocks(at + 1, last)
        events = await self._sources.l1.events(at + 1, last)
        self._check_one_chain(at, blocks, events)
        rows = [row for row in [await self._row(event) for event in events] if row is not None]
        self._store.apply(blocks, rows)
        self._live.l1(blocks[-1], rows)
        return last < head.height

    async def read_bodies(self) -> bool:
        """Read the bodies of accepted batches that are not indexed yet."""
        missing = self._store.missing_bodies(BODIES_PER_ROUND)
        for row in missing:
            record = await self._sources.bodies.batch(row["number"])
            if record is None:
                return False
            if record.header.hash() != row["header_hash"]:
                text = (
                    f"batch {row['number']}: the store's header is not the one the inbox accepted"
                )
                raise SourceDisagrees(text, code="header")
            rows = self.batch_rows(row["height"], record)
            self._store.add_batch(rows)
            self._live.batch(rows)
        return len(missing) == BODIES_PER_ROUND

    async def read_feed(self, gateway: bytes) -> bool:
        """Read the next groups that a gateway admitted."""
        after = self._store.feed_position(gateway)
        records = await self._sources.feeds[gateway].after(after, GROUPS_PER_ROUND)
        groups: list[GroupRows] = []
        for number, data in records:
            try:
                groups.append(self.group_rows(decode_group(data, self._network.network_id)))
            except Rejected as error:
                raise SourceDisagrees(f"feed record {number}: {error}", code="body") from error
            after = number
        if groups:
            self._store.add_fed_groups(gateway, after, groups)
            self._live.admitted(groups)
        return len(records) == GROUPS_PER_ROUND

    def batch_rows(self, height: int, record: BatchRecord) -> BatchRows:
        """Decode a batch; refuse one whose parts are not those of its header.

        Raises:
            SourceDisagrees: code `body`.
        """
        number = record.header.number
        try:
            bodies = decode_body(record.body, self._network.network_id)
            segments = tuple(
                tuple(self.group_rows(group) for group in body.groups) for body in bodies
            )
        except Rejected as error:
            raise SourceDisagrees(f"batch {number}: {error}", code="body") from error
        shapes = [(body.project, body.count, body.ranges()) for body in bodies]
        if shapes != [(s.project, s.count, s.ranges) for s in record.segments]:
            raise SourceDisagrees(
                f"batch {number}: the body has other groups than its segments", code="body"
            )
        if segments_root(record.segments) != record.header.segments_root:
            raise SourceDisagrees(
                f"batch {number}: the segments are not those of the header", code="body"
            )
        return BatchRows(height, record, segments)

    def group_rows(self, group: Group) -> GroupRows:
        """Decode a group's messages."""
        header = group.header
        aad = external_aad(header.network_id, header.project)
        sheet = self._projects.get(header.project)
        rows: list[MessageRow] = []
        for offset, raw in enumerate(group.messages):
            signed = parse(raw)
            value = _shown(signed.data.get(sheet.value_field)) if sheet else None
            observed = _shown(signed.data.get(OBSERVED)) or 0
            about = (signed.device, signed.seq, signed.time_ms, observed, value)
            rows.append(MessageRow(message_id(signed, aad), header.first + offset, *about, raw))
        return GroupRows(group, tuple(rows))

    async def _common_height(self, head: L1Block) -> int:
        """Return the newest indexed height that is still the L1's, after rewinding to it."""
        newest = self._store.newest_block()
        if newest is None:
            return NO_BLOCK
        at, span = min(newest.height, head.height), 1
        while at > NO_BLOCK:
            low, span = max(0, at - span + 1), L1_SPAN  # most often the newest still stands
            for block in reversed(await self._sources.l1.blocks(low, at)):
                if self._store.block_hash(block.height) == block.hash:
                    at = block.height
                    break
            else:
                at = low - 1
                continue
            break
        if at < newest.height:
            self._store.rewind(at)
            self._live.rewound(at)
        return at

    def _check_one_chain(
        self, at: int, blocks: Sequence[L1Block], events: Sequence[L1Event]
    ) -> None:
        """Refuse blocks and logs read across a reorg; the next round reads them anew."""
        parent = self._store.block_hash(at)
        for height, block in enumerate(blocks, at + 1):
            if block.height != height or (parent is not None and block.parent != parent):
                raise SourceDisagrees(
                    f"the L1 changed below block {height} while it was read", code="fork"
                )
            parent = block.hash
        known = {block.height: block.hash for block in blocks}
        if not blocks or any(known.get(event.height) != event.block_hash for event in events):
            raise SourceDisagrees("the L1 changed while its logs were read", code="fork")

    async def _row(self, event: L1Event) -> EventRow | None:
        settled: SettleCall | None = None
        if (event.contract, event.name) == ("Settlement", "TaskSettled"):
            settled = await self._sources.l1.settle_call(
                event.transaction, bytes(event.args["task"])
            )
        return row_of(event, settled)


def _shown(value: Value | None) -> int | None:
    """Return what is shown of a field: the integer, or the last of an array."""
    return value[-1] if isinstance(value, list) else value
