"""Logs become entries; what no registry writes is the node's fault, others' logs are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from opendepin.chain.abi import Contract
from opendepin.chain.artifacts import ensure
from opendepin.chain.errors import BindingRejected, NodeFault
from opendepin.chain.ports import Final, Log
from opendepin.core.encodings import abi_encode, keccak256
from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key
from opendepin.dims.identity.client import RegistryClient
from opendepin.dims.identity.errors import RegistryFault
from opendepin.dims.identity.ports import Entry, Project
from tests.chain.conftest import CACHE

DEVICE = Key.from_seed(b"device")
AT_DEVICES, AT_PROJECTS = b"\1" * 20, b"\2" * 20
CHANGED = keccak256(b"KeyChanged(uint256,uint64,uint32,uint8,bytes32,bytes32,bytes32)")
REGISTERED = keccak256(b"ProjectRegistered(uint64,address,string,bytes32)")


def word(value: int | bytes) -> bytes:
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


def changed(status: int = 1, block: int = 7, device: bytes = DEVICE.address) -> Log:
    types = ["uint32", "uint8", "bytes32", "bytes32", "bytes32"]
    values = [4, status, DEVICE.public[:32], DEVICE.public[32:], b"\3" * 32]
    topics = (CHANGED, word(device), word(2))
    return Log(AT_DEVICES, topics, abi_encode(types, values), block, bytes(32), bytes(32), 0)


def registered() -> Log:
    data = abi_encode(["string", "bytes32"], ["clean air", b"\4" * 32])
    topics = (REGISTERED, word(9), word(DEVICE.address))
    return Log(AT_PROJECTS, topics, data, 7, bytes(32), bytes(32), 1)


class Told:
    """A chain reader that tells the given logs."""

    def __init__(self, *logs: Log) -> None:
        self.told = list(logs)

    async def block_number(self) -> int:
        return 12

    async def finalized(self) -> Final:
        return Final(11, b"\5" * 32, "told")

    async def block(self, height: int | None = None) -> Any:
        return None

    async def logs(
        self, addresses: Sequence[bytes], first: int, last: int, topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        return self.told

    async def call(self, call: Any) -> Any:
        raise NotImplementedError

    async def prove(self, slots: Any) -> Any:
        raise NotImplementedError


@pytest_asyncio.fixture
async def contracts() -> tuple[Contract, Contract]:
    made = await ensure(["Devices", "Projects"], CACHE)
    devices = Contract(AT_DEVICES, made["Devices"].interface)
    return devices, Contract(AT_PROJECTS, made["Projects"].interface)


Contracts = tuple[Contract, Contract]


async def test_reads_both_events(contracts: Contracts) -> None:
    client = RegistryClient(Told(changed(2), registered()), *contracts)
    found = await client.changes(7, 7)
    change = KeyChange(DEVICE.address, Status.SUSPENDED, 2, 4, DEVICE.public, 7)
    assert found.entries == (Entry(change, b"\3" * 32),)
    assert found.projects == (Project(9, DEVICE.address, "clean air", b"\4" * 32),)
    assert (await client.height(), (await client.final()).height) == (12, 11)
    assert await client.hash_at(13) is None


async def test_other_logs_are_none_of_ours(contracts: Contracts) -> None:
    transfer = replace(changed(), topics=(keccak256(b"Transfer(address,address,uint256)"),))
    elsewhere = replace(changed(), address=b"\6" * 20)
    swapped = replace(changed(), address=AT_PROJECTS)
    found = await RegistryClient(Told(transfer, elsewhere, swapped), *contracts).changes(1, 9)
    assert (found.entries, found.projects) == ((), ())


@pytest.mark.parametrize(
    "log",
    [
        changed(block=6),
        changed(block=10),
        changed(status=0),
        changed(status=4),
        changed(device=b"\1" * 21),
        replace(changed(), topics=()),
    ],
)
async def test_what_the_registry_cannot_say_is_the_nodes_fault(
    contracts: Contracts, log: Log
) -> None:
    with pytest.raises(RegistryFault):
        await RegistryClient(Told(log), *contracts).changes(7, 9)


async def test_a_log_of_another_form_is_the_nodes_fault(contracts: Contracts) -> None:
    for log in (replace(changed(), data=b"\0" * 31), replace(changed(), topics=(CHANGED,))):
        with pytest.raises(NodeFault):
            await RegistryClient(Told(log), *contracts).changes(7, 9)


async def test_contracts_without_the_events_are_refused_at_once(contracts: Contracts) -> None:
    devices, projects = contracts
    with pytest.raises(BindingRejected):
        RegistryClient(Told(), projects, devices)
