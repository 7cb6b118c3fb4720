"""The demo's rule at its full size: 256 recorded readings, from lanes to the contract's yes."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import boa
import pytest

from opendepin.core.journey import Reading
from opendepin.core.statement import evaluation
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.demo.readings import recorded
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.native import field_root, holds
from opendepin.proofs.zk.prover import Prover
from opendepin.proofs.zk.verifier import verifier

pytestmark = [pytest.mark.soak, pytest.mark.contract, pytest.mark.asyncio(loop_scope="session")]

STATEMENT = (1 << 248) - 1
SECONDS, CHECK_GAS = 8.0, 265_000


@pytest.mark.parametrize("count", [1, 255, 256])
async def test_full_size(prover: Prover, count: int) -> None:
    assembled = assemble(CLEAN_AIR)
    rows = enumerate(islice(recorded(), count))
    readings = [Reading(r.device_index, seq, r.observed_s, (r.value,)) for seq, r in rows]
    keys = await prover.keys(assembled.program)
    out = outputs(CLEAN_AIR, readings)
    proof = await prover.prove(assembled.program, STATEMENT, readings)
    root = CLEAN_AIR.tree.root(readings)
    assert await field_root(prover.engine, readings, CLEAN_AIR.tree) == root
    assert proof.public == (STATEMENT, evaluation(out, STATEMENT), root)
    assert await holds(prover.engine, keys.vk, proof.raw, proof.public)
    assert proof.witness_s + proof.prove_s < SECONDS
    contract: Any = boa.loads(verifier(keys, assembled.maxima).source)
    assert contract.check(STATEMENT, root, out, proof.raw) is True
    assert contract._computation.get_gas_used() <= CHECK_GAS
    assert contract.check(STATEMENT, CLEAN_AIR.tree.root(readings[:-1]), out, proof.raw) is False
    for bit in random.Random(count).sample(range(2_048), 128):
        raw = bytearray(proof.raw)
        raw[bit // 8] ^= 1 << bit % 8
        assert contract.check(STATEMENT, root, out, bytes(raw)) is False, bit
