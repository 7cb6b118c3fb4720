"""Several proofs by one pairing: true ones are taken, and no false one hides behind another."""

from __future__ import annotations

from typing import Any

import boa
import pytest
import pytest_asyncio
from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.optimized_bn128.optimized_curve import G1, add, multiply, neg, normalize

from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS, evaluation
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.prover import Prover
from opendepin.proofs.zk.verifier import verifier

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="session")]

ASSEMBLED = assemble(CLEAN_AIR.resized(4))
READINGS = [Reading(0, 1, 1_038_700_800, (61_125,)), Reading(69, 9, 1_038_787_200, (4_000,))]
OUTPUTS = outputs(ASSEMBLED.rule, READINGS)
STATEMENTS = ((1 << 247) + 5, 77)


class Site:
    """A compiled verifier with two true proofs of other statements."""

    def __init__(self, contract: Any, proofs: list[bytes], root: int) -> None:
        self.contract, self.proofs, self.root = contract, proofs, root
        self.claims = [word for s in STATEMENTS for word in (s, evaluation(OUTPUTS, s), root)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(prover: Prover) -> Site:
    keys = await prover.keys(ASSEMBLED.program)
    made = [await prover.prove(ASSEMBLED.program, statement, READINGS) for statement in STATEMENTS]
    contract = boa.loads(verifier(keys, ASSEMBLED.maxima).source)
    return Site(contract, [proof.raw for proof in made], made[0].public[2])


def moved(proof: bytes, by: Any) -> bytes:
    """Return a proof whose C is another point of the curve."""
    x, y = (int.from_bytes(proof[at : at + 32], "big") for at in (192, 224))
    at = normalize(add((FQ(x), FQ(y), FQ(1)), by))
    return proof[:192] + b"".join(int(word).to_bytes(32, "big") for word in at[:2])


async def test_true_proofs_are_taken_together(site: Site) -> None:
    assert site.contract.check_many(site.claims, site.proofs) is True
    assert site.contract.check_many(site.claims[:3], site.proofs[:1]) is True
    for statement in STATEMENTS:
        assert site.contract.fold(statement, OUTPUTS) == evaluation(OUTPUTS, statement)


async def test_errors_that_cancel_out_are_refused(site: Site) -> None:
    point = multiply(G1, 12_345)
    forged = [moved(site.proofs[0], point), moved(site.proofs[1], neg(point))]
    assert site.contract.check_many(site.claims, forged) is False


async def test_proofs_stay_with_their_claims(site: Site) -> None:
    check = site.contract.check_many
    assert check(site.claims, site.proofs[::-1]) is False
    assert check([*site.claims[:4], site.claims[4] ^ 1, site.claims[5]], site.proofs) is False


async def test_what_has_no_form_is_refused(site: Site) -> None:
    check, claims, proofs = site.contract.check_many, site.claims, site.proofs
    assert check([], []) is False
    assert check(claims[:3], proofs) is False
    assert check(claims, [proofs[0], proofs[1] + b"\0"]) is False
    assert check(claims, [proofs[0], bytes(255) + b"\1"]) is False
    for place in range(6):
        above = [*claims]
        above[place] += FIELD_MODULUS
        assert check(above, proofs) is False


async def test_outputs_out_of_range_have_no_fold(site: Site) -> None:
    nothing = 2**256 - 1
    assert site.contract.fold(1, OUTPUTS[:-1]) == nothing
    for place in (0, 64, 134):
        above = [*OUTPUTS]
        above[place] = ASSEMBLED.maxima[place] + 1
        assert site.contract.fold(1, above) == nothing
        above[place] = OUTPUTS[place] + FIELD_MODULUS
        assert site.contract.fold(1, above) == nothing
