"""Reads the registry contracts through a chain reader: events as our values.

In: logs. Out: `Changes`. Events are hints: `rules.extended` holds them against each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.chain.abi import Contract
from opendepin.chain.ports import ChainReader, Final, Log
from opendepin.core.identity import KeyChange, Status
from opendepin.dims.identity.errors import RegistryFault
from opendepin.dims.identity.permits import device_of
from opendepin.dims.identity.ports import Changes, Entry, Project


@dataclass(frozen=True)
class KeyChanged:
    """Event of `Devices`: one entry of a key history."""

    device: int
    project: int
    index: int
    status: int
    key_x: bytes
    key_y: bytes
    history: bytes


@dataclass(frozen=True)
class ProjectRegistered:
    """Event of `Projects`."""

    project: int
    owner: bytes
    name: str
    metadata_hash: bytes


class RegistryClient:
    """The registry on one chain; implements `ports.Registry`."""

    def __init__(self, chain: ChainReader, devices: Contract, projects: Contract) -> None:
        """Bind the events.

        Raises:
            BindingRejected: the contracts' ABIs have other events.
        """
        self._chain = chain
        self._addresses = (devices.address, projects.address)
        self._changed = devices.event(KeyChanged)
        self._registered = projects.event(ProjectRegistered)

    async def height(self) -> int:
        """Return the height of the newest block."""
        return await self._chain.block_number()

    async def final(self) -> Final:
        """Return the newest final block."""
        return await self._chain.finalized()

    async def hash_at(self, height: int) -> bytes | None:
        """Return the hash of the block that stands at a height now; None above the head."""
        header = await self._chain.block(height)
        return None if header is None else header.hash

    async def changes(self, first: int, last: int) -> Changes:
        """Return what the registry's events tell of the blocks first..last.

        Raises:
            RegistryFault: a log is of no block that was asked for, or of no known form.
        """
        devices, projects = self._addresses
        entries: list[Entry] = []
        registered: list[Project] = []
        for log in await self._chain.logs(self._addresses, first, last):
            if not first <= log.block <= last or not log.topics:
                raise RegistryFault(f"asked for blocks {first}..{last}, got a log of {log.block}")
            if log.address == devices and log.topics[0] == self._changed.topic:
                entries.append(self._entry(log))
            elif log.address == projects and log.topics[0] == self._registered.topic:
                found = self._registered.decode(log.topics, log.data)
                registered.append(
                    Project(found.project, found.owner, found.name, found.metadata_hash)
                )
        return Changes(tuple(entries), tuple(registered))

    def _entry(self, log: Log) -> Entry:
        found = self._changed.decode(log.topics, log.data)
        try:
            device, status = device_of(found.device), Status(found.status)
        except (OverflowError, ValueError) as error:
            raise RegistryFault(f"no device or status: {error}") from error
        key = found.key_x + found.key_y
        change = KeyChange(device, status, found.project, found.index, key, log.block)
        return Entry(change, found.history)
