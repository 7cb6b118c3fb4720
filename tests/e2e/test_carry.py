"""`line.carry` over a running network: signed readings go in, settled tasks come out."""

from __future__ import annotations

import asyncio

import pytest

from opendepin.core import message, statement
from opendepin.core.journey import Settled, Signed
from opendepin.core.schema import OBSERVED
from opendepin.demo.project import VALUE_FIELD
from opendepin.line import carry
from opendepin.network.parts import parts
from opendepin.network.stations import CONTRACTS, contracts_of, stations
from opendepin.runtime.clock import SystemClock
from tests.e2e.networks import Network

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SEQ = 1_000_000
"""Above what the replay may have used for these stations."""


def readings(network: Network, count: int) -> list[Signed]:
    """Sign one reading by each of the first stations."""
    network_id, clock = statement_network(network), SystemClock()
    aad = message.external_aad(network_id, network.fleet.project)
    found: list[Signed] = []
    for index in range(count):
        key, data = (
            network.fleet.keys[index],
            {OBSERVED: 1_038_700_800, VALUE_FIELD: 51_000 + index},
        )
        raw = message.build(key, key.address, SEQ, clock.now_ms(), data, aad)
        found.append(message.parse(raw))
    return found


def statement_network(network: Network) -> bytes:
    return bytes.fromhex(network.home.genesis()["network_id"][2:])


def test_carry_brings_readings_to_final_settlement(network: Network) -> None:
    async def go() -> tuple[list[Settled], list[bytes]]:
        built = await parts(network.home, "cli", CONTRACTS)
        try:
            sent = readings(network, 5)
            settled = await carry(stations(built), network.fleet.project, sent)
            contracts = contracts_of(built)
            programs = [(await contracts.task(each.task_id)).program for each in settled]
            return settled, programs
        finally:
            await built.close()

    settled, programs = asyncio.run(go())
    assert settled
    assert len({each.task_id for each in settled}) == len(settled)
    assert all(each.block > 0 and any(each.pay_root) for each in settled)
    assert all(each.outputs_hash != statement.outputs_hash([]) for each in settled)
    assert all(any(program) for program in programs)
