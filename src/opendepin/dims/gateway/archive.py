"""What a gateway has committed, looked up by message id: for repeats and for whoever asks.

In: the log, its index, the projects' scanners. Out: a message's group and place, checked against
its id. Decoding a group costs milliseconds, so the newest stay decoded and the rest is rationed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from opendepin.core.group import decode_group
from opendepin.core.wire import Scanned
from opendepin.dims.gateway import rules
from opendepin.dims.gateway.config import CACHED_GROUPS, LOOKUPS_BURST, LOOKUPS_PER_S
from opendepin.dims.gateway.errors import IndexBroken, LookupsBusy
from opendepin.dims.gateway.index import Index
from opendepin.dims.gateway.lanes import Lane, Repeat
from opendepin.dims.gateway.quota import Quota
from opendepin.dims.gateway.rules import Sealed
from opendepin.runtime.clock import Clock
from opendepin.runtime.stagelog import StageLog


class Archive:
    """Look-ups in one gateway's committed groups."""

    def __init__(
        self,
        network_id: bytes,
        log: StageLog,
        index: Index,
        clock: Clock,
        lane: Callable[[int], Lane | None],
    ) -> None:
        self._network_id, self._log, self._index = network_id, log, index
        self._clock, self._lane = clock, lane
        self._cache: OrderedDict[int, Sealed] = OrderedDict()
        self._lookups = Quota[int](LOOKUPS_PER_S, LOOKUPS_BURST)

    def find(self, message_id: bytes) -> Repeat | None:
        """Return an admitted message's place; None when it was not admitted here.

        Raises:
            LookupsBusy: too many groups were read from disk lately.
        """
        for number, index in self._index.find(message_id):
            sealed = self._sealed(number)
            if index < len(sealed.message_ids) and sealed.message_ids[index] == message_id:
                return Repeat(sealed, index)
        return None

    def remember(self, number: int, sealed: Sealed) -> None:
        """Keep a group decoded."""
        self._cache[number] = sealed
        if len(self._cache) > CACHED_GROUPS:
            self._cache.popitem(last=False)

    def scan(self, project: int, raw: bytes) -> Scanned:
        """Read a message that the log holds.

        Raises:
            IndexBroken: it is not one of that project.
        """
        lane = self._lane(project)
        scanned = lane.scanner.scan(raw) if lane is not None else None
        if scanned is None or len(scanned.raw) != len(raw):
            raise IndexBroken(f"the log holds a message that is none of project {project}")
        return scanned

    def _sealed(self, number: int) -> Sealed:
        found = self._cache.get(number)
        if found is not None:
            self._cache.move_to_end(number)
            return found
        if self._lookups.take(0, self._clock.monotonic()) > 0:
            raise LookupsBusy("too many old messages are asked for: try again later")
        rows = self._log.read(number - 1, 1)
        if not rows:
            raise IndexBroken(f"the log has no group {number}")
        group = decode_group(rows[0][1], self._network_id)
        ids = [self.scan(group.header.project, raw).message_id for raw in group.messages]
        found = rules.sealed_of(group, ids)
        self.remember(number, found)
        return found
