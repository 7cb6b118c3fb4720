"""What several services are built from: the chain client, compiled contracts, views, the engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import platformdirs

from opendepin.chain import artifacts
from opendepin.chain.abi import Contract
from opendepin.chain.client import ChainClient
from opendepin.chain.genesis import Genesis, check_code, genesis_of_json
from opendepin.chain.jsonrpc import Rpc
from opendepin.chain.outbox import DoneCheck, Outbox, OutboxConfig, OutboxStore
from opendepin.core.field_tree import FieldTree
from opendepin.core.journey import Reading
from opendepin.core.keys import Key
from opendepin.dims.availability.adapters.reed_solomon import ReedSolomon
from opendepin.dims.availability.client import StoreClient
from opendepin.dims.availability.retrieval import Retrieval
from opendepin.dims.identity.client import RegistryClient
from opendepin.dims.identity.config import IdentityConfig
from opendepin.dims.identity.service import IdentityService
from opendepin.network.founding import store_name
from opendepin.network.home import Home
from opendepin.network.labels import labels
from opendepin.network.projects import ProjectFolder
from opendepin.proofs.zk.engine import Engine, locate
from opendepin.proofs.zk.native import field_root
from opendepin.runtime import settings as runtime_settings
from opendepin.runtime.chance import SystemChance
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import client
from opendepin.runtime.posting import Poster
from opendepin.runtime.settings import NetworkSettings
from opendepin.runtime.telemetry import Counters, open_log

IN_FLIGHT = 100
"""Most unfinal transactions of one account."""

READER_POLL_S = 1.0
"""Seconds between two looks at Layer 1 where nothing waits for them: stores and operators ask
for the block they need."""

CACHE_VARIABLE = "OPENDEPIN_CACHE"


def cache() -> Path:
    """Return where compiled contracts and proving keys are kept, shared by all networks."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("opendepin")


def artifact_cache() -> Path:
    """Return the folder of compiled contracts."""
    return cache() / "contracts"


def keys_folder() -> Path:
    """Return the folder of proving keys, by circuit hash."""
    return cache() / "groth16"


def engine() -> Engine:
    """Return the native proof engine.

    Raises:
        ProverMissing: it was not built.
    """
    return Engine(locate())


@dataclass
class Parts:
    """The parts of one service's process; each is made when first asked for."""

    home: Home
    service: str
    settings: NetworkSettings
    addresses: dict[str, str]
    genesis: Genesis
    compiled: dict[str, artifacts.Artifact]
    clock: SystemClock = field(default_factory=SystemClock)
    chance: SystemChance = field(default_factory=SystemChance)

    def __post_init__(self) -> None:
        most = self.settings.network.log_bytes
        self.log = open_log(self.service, self.home.log(self.service), most)
        self.counters = Counters(self.service, labels(self.settings), self.clock)
        self.projects = ProjectFolder(self.home)
        self.http: httpx.AsyncClient = client(connections=32)
        self.posting = Poster(connections=32)
        self.chain = ChainClient(Rpc(self.addresses["l1"], self.posting, self.clock))
        self.code = ReedSolomon(self.genesis.data_chunks)
        self._engine: Engine | None = None
        self._closing: list[httpx.AsyncClient | Poster] = [self.http, self.posting]

    @property
    def port(self) -> int:
        """Port of this service."""
        return int(self.addresses[self.service].rpartition(":")[2])

    def key(self) -> Key:
        """Return this service's key."""
        return self.home.key(self.service)

    def contract(self, name: str) -> Contract:
        """Return a contract of the address book."""
        return self.compiled[name].interface.at(self.genesis.address(name))

    def identity(self, poll_s: float = READER_POLL_S) -> IdentityService:
        """Return a follower of the registry; the caller runs it."""
        registry = RegistryClient(self.chain, self.contract("Devices"), self.contract("Projects"))
        return IdentityService(registry, self.log, IdentityConfig(poll_s=poll_s))

    def stores(self) -> list[StoreClient]:
        """Return a client of every store of this home."""
        found: list[StoreClient] = []
        for index in range(self.settings.availability.stores):
            name = store_name(index)
            http = client(self.addresses[name], connections=16)
            self._closing.append(http)
            found.append(StoreClient(self.home.address_of(name), http, self.code))
        return found

    def retrieval(self) -> Retrieval:
        """Return the reader of batch bodies."""
        return Retrieval(self.stores(), self.code, self.chance, self.log)

    def outbox(self, name: str, key: Key, checks: Mapping[str, DoneCheck] | None = None) -> Outbox:
        """Return the outbox of an account; the caller runs it."""
        store = OutboxStore(self.home.room(self.service) / f"{name}.outbox")
        config = OutboxConfig(in_flight=IN_FLIGHT)
        return Outbox(self.chain, key, store, self.clock, self.log, config, checks)

    def engine(self) -> Engine:
        """Return the proof engine of this process."""
        if self._engine is None:
            self._engine = engine()
        return self._engine

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the engine and close connections."""
        if self._engine is not None:
            await self._engine.close()
        for each in self._closing:
            await each.aclose()


class FieldRoots:
    """Field roots by the native engine (the port of stores and sequencer)."""

    def __init__(self, running: Engine) -> None:
        self._engine = running

    async def field_root(self, readings: Sequence[Reading], tree: FieldTree) -> int:
        """Return the Poseidon root over the readings' words and their count."""
        return await field_root(self._engine, readings, tree)


async def parts(home: Home, service: str, contracts: Sequence[str]) -> Parts:
    """Build a service's parts.

    Raises:
        NotRunning: the network was never started, or does not run.
        ArtifactsMissing: a contract does not compile.
        WrongCode: the L1 is another chain, or a contract's code is not the one deployed.
    """
    settings = runtime_settings.load(home.settings)
    compiled = await artifacts.ensure(contracts, artifact_cache())
    genesis = genesis_of_json(home.genesis())
    built = Parts(home, service, settings, home.addresses(), genesis, compiled)
    await check_code(genesis, built.chain)
    return built
