"""One small network, one engine and one way to check bundles for all tests of this folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from opendepin.chain import artifacts
from opendepin.proofs.zk.engine import Engine, locate
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.proofs.zk.native import holds
from opendepin.proofs.zk.program import Program
from opendepin.proofs.zk.prover import Prover
from opendepin.verify import Anchor, Report, anchor_of_genesis, check, read_bundle
from opendepin.verify.anchor import PROVEN_CONTRACTS
from tests.verify import network as small

BUILD = Path(__file__).parents[2] / ".build"


class Verifier:
    """Checks bundles as `depin verify` does; a pairing that was checked once is remembered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, engine: Engine) -> None:
        self._loop, self._engine = loop, engine
        self._known: dict[tuple[bytes, bytes, tuple[int, ...]], bool] = {}
        self.programs: dict[bytes, bytes] = {}
        """Texts by circuit hash, as a home has them."""

    def keep(self, program: Program) -> None:
        self.programs[program.hash] = program.text

    async def _proof(self, vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
        asked = vk.raw, proof, tuple(public)
        if asked not in self._known:
            self._known[asked] = await holds(self._engine, vk, proof, public)
        return self._known[asked]

    def report(self, bundle: dict[str, Any] | bytes, anchor: Anchor) -> Report:
        """Read a bundle and check it."""
        data = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        return self._loop.run_until_complete(
            check(read_bundle(data), anchor, self._proof, self.programs.get)
        )


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="session")
def engine(loop: asyncio.AbstractEventLoop) -> Iterator[Engine]:
    running = Engine(locate())
    yield running
    loop.run_until_complete(running.close())


@pytest.fixture(scope="session")
def network(loop: asyncio.AbstractEventLoop, engine: Engine) -> small.Network:
    async def built() -> small.Network:
        compiled = await artifacts.ensure(PROVEN_CONTRACTS, BUILD / "contracts")
        layouts = {name: artifact.layout for name, artifact in compiled.items()}
        prover = Prover(engine, BUILD / "keys", network_is_local=True)
        assembled = small.circuit()
        made = small.Network(layouts, assembled, await prover.keys(assembled.program))
        await made.settle(prover)
        return made

    return loop.run_until_complete(built())


@pytest.fixture(scope="session")
def anchor(network: small.Network) -> Anchor:
    return anchor_of_genesis(network.genesis(), network.layouts, network.state.block_hash)


@pytest.fixture(scope="session")
def verifier(loop: asyncio.AbstractEventLoop, engine: Engine, network: small.Network) -> Verifier:
    made = Verifier(loop, engine)
    made.keep(network.assembled.program)
    return made
