"""The follower on a real engine with the real contracts: a change counts within two blocks."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from opendepin.chain.abi import Contract
from opendepin.chain.artifacts import Artifact, ensure
from opendepin.chain.storage import map_slot, slot_of, verify_contract_proof
from opendepin.core.identity import Status, accumulate
from opendepin.core.keys import Key
from opendepin.core.units import WEI_PER_TOKEN
from opendepin.dims.identity import permits, rules
from opendepin.dims.identity.client import RegistryClient
from opendepin.dims.identity.config import IdentityConfig
from opendepin.dims.identity.permits import Domain, Register, Rotate, SetStatus
from opendepin.dims.identity.service import IdentityService
from opendepin.runtime import telemetry
from opendepin.runtime.service import Stop
from tests.chain.conftest import CACHE, Node, spare_key, start_node

OWNER = Key.from_seed(b"owner of stations")
DEVICE = Key.from_seed(b"station")
NEW_KEY = Key.from_seed(b"new key of the station")
FEE = WEI_PER_TOKEN
FOREVER = 2**63
SECONDS = 60


@dataclass
class Registry:
    """The registry on a running node, and a follower of it."""

    node: Node
    devices: Contract
    projects: Contract
    layout: Artifact
    domain: Domain
    service: IdentityService

    async def send(self, contract: Contract, name: str, *arguments: object, value: int = 0) -> int:
        """Send a call that must pass; return its block."""
        data = contract.data(name, *arguments)
        sent = await self.node.send(spare_key(), contract.address, data, value)
        receipt = await self.node.mined(sent)
        assert receipt.succeeded
        return receipt.block

    async def register(self, project: int) -> int:
        """Register DEVICE by a permit; return the block."""
        permit = Register(project, OWNER.address, DEVICE.public, bytes(32), 0, FOREVER)
        call = permits.register_permit(self.domain, permit, OWNER, DEVICE)
        return await self.send(self.devices, "register", *call, value=FEE)

    async def until(self, height: int) -> None:
        """Wait until the chain has this height."""
        while await self.node.client.block_number() < height:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    made = await ensure(["Burner", "Projects", "Devices"], CACHE)
    node = await start_node(tmp_path / "l1", hurry=False)
    terms = (OWNER.address, FEE, 5_000)
    burner = await node.deploy(made["Burner"])
    at_projects = await node.deploy(made["Projects"], burner, *terms)
    at_devices = await node.deploy(made["Devices"], at_projects, burner, *terms)
    projects = Contract(at_projects, made["Projects"].interface)
    devices = Contract(at_devices, made["Devices"].interface)
    reader = RegistryClient(node.client, devices, projects)
    log = telemetry.log("test", io.StringIO())
    service = IdentityService(reader, log, IdentityConfig())
    domain = Domain(node.engine.config.chain_id, at_devices)
    stop = Stop()
    running = asyncio.ensure_future(service.run(stop))
    yield Registry(node, devices, projects, made["Devices"], domain, service)
    stop.set()
    with suppress(asyncio.CancelledError):
        await running
    await node.close()


@pytest.mark.timeout(180)
async def test_a_devices_life(registry: Registry) -> None:
    service, device = registry.service, DEVICE.address
    await registry.send(registry.projects, "register", "clean air", bytes(32), value=FEE)
    first = await registry.register(1)
    await asyncio.wait_for(service.reach(first), SECONDS)
    current = service.current(device)
    assert current is not None
    assert (current.public, current.status, current.from_block) == (DEVICE.public, 1, first)
    assert service.project_count == 1

    rotate = Rotate(device, NEW_KEY.public, 0, FOREVER)
    turned = await registry.send(
        registry.devices, "rotate", *permits.rotate_permit(registry.domain, rotate, OWNER, NEW_KEY)
    )
    await registry.until(turned + 2)
    current = service.current(device)
    assert current is not None
    assert (current.public, current.status) != (DEVICE.public, Status.ACTIVE)
    await asyncio.wait_for(service.reach(turned), SECONDS)
    current = service.current(device)
    assert current is not None
    assert (current.public, current.status) == (NEW_KEY.public, Status.ACTIVE)

    suspend = SetStatus(device, Status.SUSPENDED, 1, FOREVER)
    paused = await registry.send(
        registry.devices, "set_status", *permits.status_permit(registry.domain, suspend, OWNER)
    )
    await registry.until(paused + 2)
    current = service.current(device)
    assert current is not None
    assert current.status is Status.SUSPENDED

    await asyncio.wait_for(service.reach(paused), SECONDS)
    history = service.history(device)
    assert [change.from_block for change in history] == [first, turned, paused]
    slot = map_slot(slot_of(registry.layout.layout, "history"), permits.token(device))
    proof = await registry.node.client.prove({registry.devices.address: [slot]})
    proven = verify_contract_proof(proof.header.state_root, proof.contracts[0]).values[slot]
    assert proven == accumulate(history)
    rules.check_history(history, proven)
