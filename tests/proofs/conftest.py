"""One engine and one cache of keys for all proof tests of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from opendepin.proofs.zk.engine import Engine, locate
from opendepin.proofs.zk.prover import Prover

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def keys_dir() -> Path:
    """Keys that earlier runs made are used again: they depend on the circuit alone."""
    return ROOT / ".build" / "keys"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine() -> AsyncIterator[Engine]:
    running = Engine(locate())
    yield running
    await running.close()


@pytest.fixture(scope="session")
def prover(engine: Engine, keys_dir: Path) -> Prover:
    return Prover(engine, keys_dir, network_is_local=True)
