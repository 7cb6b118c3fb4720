"""One engine for all tests of rules."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from opendepin.proofs.zk.engine import Engine, locate


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine() -> AsyncIterator[Engine]:
    running = Engine(locate())
    yield running
    await running.close()
