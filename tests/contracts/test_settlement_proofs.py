"""Settling by true Groth16 proofs of the demo's rule, and by forgeries of every kind.

The generated verifier runs in the same EVM; its circuit takes four readings, its outputs are those
of the full one: 13 regions and 70 stations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boa
import pytest
import pytest_asyncio

from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS, encoded_outputs
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.engine import Engine, locate
from opendepin.proofs.zk.integers import outputs as outputs_of
from opendepin.proofs.zk.keys import Keys
from opendepin.proofs.zk.prover import Prover
from opendepin.proofs.zk.verifier import verifier
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Settling

pytestmark = [
    pytest.mark.contract,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]

KEYS = Path(__file__).parents[2] / ".build" / "keys"
ASSEMBLED = assemble(CLEAN_AIR.resized(4))
REGIONS, STATIONS = 65, 70
READINGS = [
    Reading(0, 1, 1_038_700_800, (61_125,)),
    Reading(69, 9, 1_038_787_200, (4_000,)),
    Reading(33, 2, 1_038_787_200, (50_001,)),
]
OUTPUTS = outputs_of(ASSEMBLED.rule, READINGS)
MAX_GAS = 500_000


def field_root(readings: Sequence[Reading]) -> int:
    return ASSEMBLED.program.tree.root(readings)


@dataclass
class Site:
    """A settlement whose program is the demo's, and the prover of it."""

    settling: Settling
    prover: Prover
    keys: Keys
    address: Any

    async def prove(self, opened: s.Opened, producer: bytes, outputs: Sequence[int]) -> bytes:
        """Prove the readings' outputs for the statement that names these `outputs`."""
        statement = self.settling.statement(opened, outputs, producer).number()
        return (await self.prover.prove(ASSEMBLED.program, statement, READINGS)).raw

    def assigned(self, root: int) -> tuple[s.Opened, bytes]:
        """Open a task over three readings with this field root, and draw."""
        segment = self.settling.segment(len(READINGS), field_root=root)
        batch = self.settling.submit([segment])
        program = self.settling.programs.current(1)
        task = self.settling.settlement.open(batch, 0, s.segment_call(segment))
        opened = s.Opened(task, batch, 0, segment, program)
        return opened, self.settling.assign(opened)

    def refused(self, opened: s.Opened, outputs: Sequence[int], proof: bytes, why: str) -> None:
        with boa.reverts(why):
            self.settling.settlement.settle(opened.id, encoded_outputs(outputs), proof)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made() -> AsyncIterator[tuple[Prover, Keys]]:
    engine = Engine(locate())
    prover = Prover(engine, KEYS, network_is_local=True)
    yield prover, await prover.keys(ASSEMBLED.program)
    await engine.close()


@pytest.fixture
def site(made: tuple[Prover, Keys]) -> Site:
    settling = s.build()
    contract = boa.loads(verifier(made[1], ASSEMBLED.maxima).source)
    settling.register_program(
        (b"\x0a" * 32,) * 3,
        verifier=contract.address,
        pay_offset=REGIONS,
        pay_count=STATIONS,
    )
    return Site(settling, *made, contract.address)


def altered(outputs: Sequence[int], index: int, value: int) -> list[int]:
    return [*outputs[:index], value, *outputs[index + 1 :]]


async def test_a_true_proof_settles_and_its_copies_do_not(site: Site) -> None:
    opened, producer = site.assigned(field_root(READINGS))
    proof = await site.prove(opened, producer, OUTPUTS)
    at = REGIONS + 33
    assert OUTPUTS[at] == 1
    site.refused(opened, altered(OUTPUTS, at, OUTPUTS[at] + FIELD_MODULUS), proof, "proof")
    site.refused(opened, altered(OUTPUTS, at, 0), proof, "proof")
    site.refused(opened, [*OUTPUTS, 0], proof, "outputs")
    site.refused(opened, OUTPUTS[:-1], proof, "outputs")
    site.refused(opened, OUTPUTS, proof[:-1], "proof")
    site.refused(opened, OUTPUTS, b"", "proof")
    site.refused(opened, OUTPUTS, proof[:40] + bytes([proof[40] ^ 1]) + proof[41:], "proof")
    site.settling.settlement.settle(opened.id, encoded_outputs(OUTPUTS), proof)
    result = site.settling.settlement.result(opened.id)
    assert result.pay_root == s.pay_root(opened.id, OUTPUTS[REGIONS:])
    assert result.producer.canonical_address == producer
    assert site.settling.escrow.held(opened.id) == len(READINGS) * s.UNIT_RATE
    site.refused(opened, OUTPUTS, proof, "state")


async def test_other_outputs_are_not_proven_by_naming_them(site: Site) -> None:
    """The statement binds what is posted, the evaluation binds it to what was computed."""
    opened, producer = site.assigned(field_root(READINGS))
    wrong = altered(OUTPUTS, REGIONS + 33, 0)
    proof = await site.prove(opened, producer, wrong)
    site.refused(opened, wrong, proof, "proof")
    site.refused(opened, OUTPUTS, proof, "proof")


async def test_a_proof_for_another_producer_is_refused(site: Site) -> None:
    opened, producer = site.assigned(field_root(READINGS))
    other = next(key.address for key in s.OPERATORS if key.address != producer)
    proof = await site.prove(opened, other, OUTPUTS)
    site.refused(opened, OUTPUTS, proof, "proof")


async def test_a_proof_for_another_task_over_the_same_readings_is_refused(site: Site) -> None:
    (first, producer), (second, _) = (site.assigned(field_root(READINGS)) for _ in range(2))
    proof = await site.prove(first, producer, OUTPUTS)
    site.refused(second, OUTPUTS, proof, "proof")
    site.settling.settlement.settle(first.id, encoded_outputs(OUTPUTS), proof)


async def test_a_proof_over_other_readings_than_the_tasks_is_refused(site: Site) -> None:
    other = field_root([*READINGS[:2], Reading(33, 2, 1_038_787_200, (50_000,))])
    fewer = field_root(READINGS[:2])
    for root in (other, fewer):
        opened, producer = site.assigned(root)
        proof = await site.prove(opened, producer, OUTPUTS)
        site.refused(opened, OUTPUTS, proof, "proof")


async def test_settling_stays_below_its_gas(site: Site) -> None:
    """The computation's gas and the transaction's own; `benchmarks/settling.py` sends real ones."""
    site.settling.register_program(
        (b"\x0b" * 32,) * 3,
        verifier=site.address,
        pay_offset=REGIONS,
        pay_count=STATIONS,
        callback=world.address_text(bytes(20)),
    )
    opened, producer = site.assigned(field_root(READINGS))
    proof = await site.prove(opened, producer, OUTPUTS)
    settle = site.settling.settlement.settle
    data = settle.prepare_calldata(opened.id, encoded_outputs(OUTPUTS), proof)
    settle(opened.id, encoded_outputs(OUTPUTS), proof)
    intrinsic = 21_000 + sum(16 if byte else 4 for byte in data)
    assert intrinsic + site.settling.settlement._computation.get_gas_used() <= MAX_GAS
