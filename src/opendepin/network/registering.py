"""Register projects, programs and devices on Layer 1, from an account that pays for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from opendepin.chain.abi import Contract
from opendepin.chain.errors import NodeFault, Reverted
from opendepin.chain.events import DeviceRecord
from opendepin.chain.outbox import Intent, Outbox, Outcome, State
from opendepin.core.encodings import keccak256
from opendepin.core.identity import Status
from opendepin.core.keys import Key
from opendepin.core.manifest import Manifest
from opendepin.core.units import wei
from opendepin.dims.identity import permits
from opendepin.network.errors import StartFailed
from opendepin.network.home import Home
from opendepin.network.parts import Parts, parts
from opendepin.runtime.disk import Lock
from opendepin.runtime.service import Stop

CONTRACTS = ("Devices", "Projects", "Programs", "Escrow", "Settlement")
PERMIT_LIFE_S = 3_600
PERMITS = ("device/", "status/", "rotate/")
"""How intents begin that carry a permit."""
REGISTER_GAS = 600_000
"""Given, not estimated: the permits of one owner build on each other's nonces."""


@dataclass(frozen=True)
class ProjectRegistered:
    """Event of `Projects`."""

    project: int
    owner: bytes
    name: str
    metadata_hash: bytes


@dataclass(frozen=True)
class Registration:
    """A device to be registered."""

    device: Key
    owner: Key
    metadata_hash: bytes = bytes(32)


@dataclass(frozen=True)
class Rates:
    """What a program pays, in wei."""

    operator_fee: int
    """For each proven task."""
    unit_rate: int
    """For each proven unit, to the device's owner."""


class Registrar:
    """Sends what people ask of the registries; one account pays."""

    def __init__(self, built: Parts, outbox: Outbox) -> None:
        self._parts, self._outbox = built, outbox
        self._devices = built.contract("Devices")
        chain_id = built.genesis.chain_id
        self.domain = permits.Domain(chain_id, self._devices.address)

    async def send(
        self, name: str, to: bytes | None, data: bytes, value: int = 0, gas: int | None = None
    ) -> Outcome:
        """Send one call and wait until it is final; `name` makes it happen once.

        Raises:
            Reverted: the contract refused.
        """
        return await self._outbox.settle(Intent(name, to, data, value, gas=gas))

    async def deploy(self, name: str, bytecode: bytes) -> bytes:
        """Make a contract and return its address."""
        outcome = await self.send(name, None, bytecode)
        if outcome.transaction is None:
            raise NodeFault(f"{name}: no transaction made the contract")
        receipt = await self._parts.chain.receipt(outcome.transaction)
        if receipt is None or receipt.contract is None:
            raise NodeFault(f"{name}: the node knows no contract of {outcome.transaction.hex()}")
        return receipt.contract

    def address(self, contract: str) -> bytes:
        """Return a contract's address."""
        return self._parts.genesis.address(contract)

    @property
    def unit_rate(self) -> int:
        """Wei that a device's owner gets for a proven unit, by this network's settings."""
        return wei(self._parts.settings.economy.unit_rate)

    async def register_program(
        self,
        project: int,
        manifest: Manifest,
        circuit_hash: bytes,
        vk_hash: bytes,
        verifier: bytes,
        callback: bytes,
        rates: Rates | None = None,
    ) -> Outcome:
        """Register a program version of a project that the paying account owns; without rates it
        pays what the network's settings say.
        """
        programs = self._parts.contract("Programs")
        economy = self._parts.settings.economy
        rates = rates or Rates(wei(economy.operator_fee), wei(economy.unit_rate))
        data = programs.data(
            "register",
            project,
            manifest.hash(),
            circuit_hash,
            vk_hash,
            verifier,
            manifest.pay_offset,
            manifest.pay_count,
            rates.operator_fee,
            rates.unit_rate,
            callback,
        )
        name = f"program/{project}/{manifest.hash().hex()}/{vk_hash.hex()}"
        return await self.send(name, programs.address, data)

    async def deposit(self, project: int, amount: int) -> Outcome:
        """Fill a project's escrow once, for its first program."""
        escrow = self._parts.contract("Escrow")
        data = escrow.data("deposit", project)
        return await self.send(f"deposit/{project}", escrow.address, data, amount)

    async def claim(
        self, task: bytes, device_index: int, units: int, path: Sequence[bytes]
    ) -> Outcome:
        """Have a device's pay out of a settled task paid to the device's owner."""
        settlement = self._parts.contract("Settlement")
        data = settlement.data("claim", task, device_index, units, list(path))
        return await self.send(f"claim/{task.hex()}/{device_index}", settlement.address, data)

    async def register_project(self, name: str, metadata_hash: bytes) -> int:
        """Register a project for the paying account and return its id."""
        projects = self._parts.contract("Projects")
        data = projects.data("register", name, metadata_hash)
        fee = wei(self._parts.settings.identity.project_fee)
        outcome = await self.send(
            f"project/{name}/{metadata_hash.hex()}", projects.address, data, fee
        )
        return await self._project_of(projects, outcome)

    async def _project_of(self, projects: Contract, outcome: Outcome) -> int:
        event = projects.event(ProjectRegistered)
        receipt = None
        if outcome.transaction is not None:
            receipt = await self._parts.chain.receipt(outcome.transaction)
        for log in receipt.logs if receipt is not None else ():
            if log.address == projects.address and log.topics[0] == event.topic:
                return event.decode(log.topics, log.data).project
        raise NodeFault("the registration of the project left no event")

    async def register_devices(
        self, project: int, wanted: Sequence[Registration]
    ) -> list[tuple[bytes, Outcome]]:
        """Register devices in this order, which gives them their indices; wait until all are
        final.
        """
        owners = dict.fromkeys(each.owner.address for each in wanted)
        nonces = {owner: await self._nonce("nonces", owner) for owner in owners}
        fee = wei(self._parts.settings.identity.device_fee)
        names = {each.device.address: _registering(project, each) for each in wanted}
        for each in wanted:
            owner, name = each.owner.address, names[each.device.address]
            if self._outbox.state(name) is State.DONE:
                continue
            permit = permits.Register(
                project=project,
                owner=owner,
                public=each.device.public,
                metadata_hash=each.metadata_hash,
                nonce=nonces[owner],
                deadline=self._parts.clock.now_s() + PERMIT_LIFE_S,
            )
            nonces[owner] += 1
            call = permits.register_permit(self.domain, permit, each.owner, each.device)
            data = self._devices.data("register", *call)
            self._outbox.submit(Intent(name, self._devices.address, data, fee, gas=REGISTER_GAS))
        outcomes = await asyncio.gather(*(self._outbox.wait(name) for name in names.values()))
        return list(zip(names, outcomes, strict=True))

    async def index_of(self, device: bytes) -> int:
        """Return a device's index in its project."""
        call = self._devices.call("device", permits.token(device), returns=DeviceRecord)
        return (await self._parts.chain.call(call)).index

    async def set_status(self, device: bytes, status: Status, owner: Key) -> Outcome:
        """Suspend, resume or revoke a device by its owner's permit."""
        nonce = await self._nonce("device_nonces", permits.token(device))
        deadline = self._parts.clock.now_s() + PERMIT_LIFE_S
        permit = permits.SetStatus(device, status, nonce, deadline)
        call = permits.status_permit(self.domain, permit, owner)
        name = f"status/{device.hex()}/{nonce}/{int(status)}"
        return await self.send(name, self._devices.address, self._devices.data("set_status", *call))

    async def rotate(self, device: bytes, owner: Key, new_key: Key) -> Outcome:
        """Give a device another key, by its owner's permit and the new key's."""
        nonce = await self._nonce("device_nonces", permits.token(device))
        deadline = self._parts.clock.now_s() + PERMIT_LIFE_S
        permit = permits.Rotate(device, new_key.public, nonce, deadline)
        call = permits.rotate_permit(self.domain, permit, owner, new_key)
        name = f"rotate/{device.hex()}/{nonce}/{new_key.address.hex()}"
        return await self.send(name, self._devices.address, self._devices.data("rotate", *call))

    async def _nonce(self, view: str, of: bytes | int) -> int:
        """Return the nonce of the next permit, once those before it are final or refused: an
        earlier command may have been killed while it waited, and the newest block can be undone.
        """
        for key in self._outbox.open_keys(*PERMITS):
            with suppress(Reverted):
                await self._outbox.wait(key)
        return await self._parts.chain.call(self._devices.call(view, of, returns=int))


@asynccontextmanager
async def registrar(home: Home, account: str) -> AsyncGenerator[Registrar]:
    """Open a registrar that pays from one of the home's accounts; one at a time per account.

    Raises:
        NotRunning: no network runs here.
        HomeLocked: another command uses the account now.
    """
    stop = Stop()
    async with await parts(home, "cli", CONTRACTS) as built:
        with Lock(home.run / f"{account}.lock"):
            outbox = built.outbox(account, home.key(account))
            running = asyncio.ensure_future(outbox.run(stop))
            try:
                yield Registrar(built, outbox)
            finally:
                stop.set()
                await asyncio.gather(running, return_exceptions=True)
    if not running.cancelled() and (error := running.exception()) is not None:
        raise StartFailed(f"the outbox of {account} ended: {error}") from error


def _registering(project: int, wanted: Registration) -> str:
    return f"device/{project}/{wanted.device.address.hex()}"


def metadata_hash(text: str) -> bytes:
    """Return the hash of a description."""
    return keccak256(text.encode())
