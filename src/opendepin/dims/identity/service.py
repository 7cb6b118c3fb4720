"""Follows the registry: every device's key history up to the newest final block, and what is about
to change.

In: final blocks and the events in them. Out: `ports.KeyHistory`. Promises: histories hold final
entries only, each checked against the contract's accumulator; `identity_block` never goes back;
views change between two steps of the event loop, whole spans at a time; a change that is not final
yet can only take trust away, and is forgotten when its block is.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import islice
from typing import Any

from opendepin.core import identity
from opendepin.core.errors import PeerFault
from opendepin.core.identity import KeyChange
from opendepin.dims.identity import rules
from opendepin.dims.identity.config import IdentityConfig
from opendepin.dims.identity.errors import FinalTakenBack, IdentityFull, RegistryFault
from opendepin.dims.identity.ports import Changes, Entry, Project, Registry
from opendepin.runtime.service import Stop


class IdentityService:
    """The view of the registry in one process; implements `ports.KeyHistory`."""

    def __init__(self, registry: Registry, log: Any, config: IdentityConfig) -> None:
        self._registry = registry
        self._log = log
        self._config = config
        self._histories: dict[bytes, tuple[KeyChange, ...]] = {}
        self._current: dict[bytes, KeyChange] = {}
        self._accumulators: dict[bytes, bytes] = {}
        self._projects: dict[int, Project] = {}
        self._newest: dict[bytes, KeyChange] = {}
        self._pending: dict[bytes, KeyChange] = {}
        self._applied = 0
        self._seen = 0
        self._anchor: bytes | None = None
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = 0
        self._faulty = False

    def current(self, device: bytes) -> KeyChange | None:
        """Return the state a device may be trusted with now; None when it is unknown.

        It is the one at `identity_block`, unless a newer block takes trust away: suspended, revoked
        or another key. Then it is suspended or revoked here at once.
        """
        return self._pending.get(device) or self._current.get(device)

    def changing(self, device: bytes) -> bool:
        """Say whether a change that is not final yet keeps a device from speaking; a later try
        may do.
        """
        return device in self._pending

    def identity_block(self) -> int:
        """Return the newest final height that is applied, 0 before the first; never decreases."""
        return self._applied

    def history(self, device: bytes) -> tuple[KeyChange, ...]:
        """Return a device's final history, oldest first; empty when it is unknown."""
        return self._histories.get(device, ())

    def key_at(self, device: bytes, block: int, project: int) -> KeyChange:
        """Return the state at an identity block when the device may speak for the project.

        Raises:
            Rejected: code `unknown-device`, `wrong-project`, `suspended` or `revoked`.
            RegistryFault: the block is not applied yet: later changes could still alter the answer.
        """
        if block > self._applied:
            raise RegistryFault(f"block {block} is not applied yet, only up to {self._applied}")
        return identity.key_at(self.history(device), block, project)

    @property
    def project_count(self) -> int:
        """How many projects are registered."""
        return len(self._projects)

    @property
    def device_count(self) -> int:
        """How many devices are registered, revoked ones too."""
        return len(self._histories)

    def project(self, number: int) -> Project | None:
        """Return a project as it was registered; None when there is none."""
        return self._projects.get(number)

    async def reach(self, block: int) -> None:
        """Return once every change up to this final block is applied, however long it takes."""
        if block <= self._applied:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tickets += 1
        heapq.heappush(self._waiting, (block, self._tickets, waiter))
        await waiter

    async def run(self, stop: Stop) -> None:
        """Follow until the stop.

        Raises:
            FinalTakenBack: the chain went back behind a final block.
            IdentityFull: more devices than may be held.
        """
        while not stop.is_set():
            try:
                await self.step()
            except PeerFault as error:
                if not self._faulty:
                    self._log.warning("layer 1 not read", code=error.code, text=str(error))
                self._faulty = True
            else:
                self._faulty = False
            await stop.sleep(self._config.poll_s)

    async def step(self) -> None:
        """Look once: apply what became final, then note what is about to change.

        Raises:
            PeerFault: the node is away or contradicts itself; nothing half-read was applied.
        """
        final = await self._registry.final()
        moved = final.height > self._applied and final.height >= self._config.first_block
        if moved:
            await self._check_anchor()
            if await self._registry.hash_at(final.height) != final.hash:
                raise RegistryFault(f"block {final.height} is called final and is not there")
        while self._applied < final.height and moved:
            first = max(self._config.first_block, self._applied + 1)
            last = min(final.height, first + self._config.span_blocks - 1)
            changes = await self._registry.changes(first, last)
            await self._apply(changes, last, final.hash if last == final.height else None)
        height = await self._registry.height()
        if moved or height != self._seen:
            self._overlay(await self._newer(height))
            self._seen = height

    async def _check_anchor(self) -> None:
        """Make sure that the last final block which was applied still stands."""
        if self._anchor is None:
            return
        found = await self._registry.hash_at(self._applied)
        if found is None:
            raise RegistryFault(f"the node has no block {self._applied} yet")
        if found != self._anchor:
            raise FinalTakenBack(
                f"block {self._applied} was final as 0x{self._anchor.hex()} and is 0x{found.hex()}:"
                " this node's chain was replaced"
            )

    async def _apply(self, changes: Changes, last: int, anchor: bytes | None) -> None:
        """Check a span's changes piece by piece, then take them all over at once."""
        accumulators: dict[bytes, bytes] = {}
        rest = iter(changes.entries)
        while piece := list(islice(rest, self._config.slice_entries)):
            known = {e.change.device: self._accumulator(e, accumulators) for e in piece}
            accumulators |= rules.extended(piece, known)
            await asyncio.sleep(0)
        fresh = sum(device not in self._histories for device in accumulators)
        if len(self._histories) + fresh > self._config.max_devices:
            raise IdentityFull(f"more than {self._config.max_devices} devices are registered")
        self._take(changes, accumulators)
        self._applied, self._anchor = last, anchor
        self._overlay({d: c for d, c in self._newest.items() if c.from_block > last})
        self._wake()

    def _accumulator(self, entry: Entry, newer: dict[bytes, bytes]) -> bytes:
        device = entry.change.device
        return newer.get(device) or self._accumulators.get(device, identity.NO_HISTORY)

    def _take(self, changes: Changes, accumulators: dict[bytes, bytes]) -> None:
        longer: dict[bytes, list[KeyChange]] = {}
        for entry in changes.entries:
            longer.setdefault(entry.change.device, []).append(entry.change)
        for device, added in longer.items():
            self._histories[device] = (*self._histories.get(device, ()), *added)
            self._current[device] = added[-1]
        self._accumulators |= accumulators
        self._projects |= {project.project: project for project in changes.projects}

    async def _newer(self, height: int) -> dict[bytes, KeyChange]:
        """Return each device's newest change that is not final yet."""
        first = max(self._config.first_block, self._applied + 1)
        if height < first:
            return {}
        changes = await self._registry.changes(first, height)
        return {entry.change.device: entry.change for entry in changes.entries}

    def _overlay(self, newest: dict[bytes, KeyChange]) -> None:
        """Be cautious about devices that are about to change, and about no others."""
        states = {d: rules.cautious(self._current.get(d), change) for d, change in newest.items()}
        self._newest = newest
        self._pending = {device: state for device, state in states.items() if state is not None}

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._applied:
            waiter = heapq.heappop(self._waiting)[2]
            if not waiter.done():
                waiter.set_result(None)
