"""The generated contract takes true proofs and nothing else, and never reverts.

Each forgery runs in an EVM against the compiled source, beside the proof that it was made from. An
EVM in Python needs a second for a pairing, so those that reach it are few; the soak tries more.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boa
import pytest
import pytest_asyncio
from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.optimized_bn128.optimized_curve import add, curve_order, multiply, normalize

from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS, evaluation
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.keys import BASE_MODULUS, Keys, VerificationKey
from opendepin.proofs.zk.native import holds
from opendepin.proofs.zk.prover import Prover
from opendepin.proofs.zk.verifier import verifier

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="session")]

ASSEMBLED = assemble(CLEAN_AIR.resized(4))
READINGS = [
    Reading(0, 1, 1_038_700_800, (61_125,)),
    Reading(69, 9, 1_038_787_200, (4_000,)),
    Reading(33, 2, 1_038_787_200, (50_001,)),
]
STATEMENT = (1 << 247) + 0xABCDEF
OUTPUTS = outputs(ASSEMBLED.rule, READINGS)
FLIPS = 24
VERIFY_GAS, CHECK_GAS, REFUSAL_GAS = 210_000, 265_000, 360_000


class Site:
    """A compiled verifier with one true proof."""

    def __init__(self, keys: Keys, proof: bytes, public: tuple[int, ...]) -> None:
        self.keys, self.proof, self.public = keys, proof, public
        self.contract: Any = boa.loads(verifier(keys, ASSEMBLED.maxima).source)
        self.root = public[2]

    @property
    def words(self) -> list[int]:
        return words_of(self.proof)

    def gas(self) -> int:
        return self.contract._computation.get_gas_used()


def words_of(proof: bytes) -> list[int]:
    return [int.from_bytes(proof[at : at + 32], "big") for at in range(0, 256, 32)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(prover: Prover) -> Site:
    keys = await prover.keys(ASSEMBLED.program)
    proof = await prover.prove(ASSEMBLED.program, STATEMENT, READINGS)
    return Site(keys, proof.raw, proof.public)


async def test_a_true_proof_is_taken_within_the_promised_gas(site: Site) -> None:
    assert site.public == (STATEMENT, evaluation(OUTPUTS, STATEMENT), site.root)
    assert site.contract.verify(site.words, site.public) is True
    assert site.gas() <= VERIFY_GAS
    assert site.contract.check(STATEMENT, site.root, OUTPUTS, site.proof) is True
    assert site.gas() <= CHECK_GAS
    assert site.contract.output_count() == len(OUTPUTS) == 135


async def test_the_contract_fits_and_says_that_its_key_is_for_development(site: Site) -> None:
    assert len(site.contract.bytecode) < 6_000
    assert verifier(site.keys, ASSEMBLED.maxima).development
    assert "DEVELOPMENT KEY" in verifier(site.keys, ASSEMBLED.maxima).source
    real = Keys(site.keys.circuit, False, site.keys.vk)
    assert "DEVELOPMENT KEY" not in verifier(real, ASSEMBLED.maxima).source


def altered_proofs(words: list[int]) -> Iterator[tuple[str, list[int]]]:
    yield "A and C swapped", words[6:] + words[2:6] + words[:2]
    yield "-A", [words[0], BASE_MODULUS - words[1], *words[2:]]
    yield "-C", [*words[:7], BASE_MODULUS - words[7]]
    yield "A.x + q", [words[0] + BASE_MODULUS, *words[1:]]
    yield "real part first", [*words[:2], words[3], words[2], words[5], words[4], *words[6:]]
    yield "all zero", [0] * 8
    yield "zero A", [0, 0, *words[2:]]
    yield "zero B", [*words[:2], 0, 0, 0, 0, *words[6:]]
    yield "zero C", [*words[:6], 0, 0]
    yield "all ones", [(1 << 256) - 1] * 8


async def test_altered_proofs_are_refused(site: Site) -> None:
    for name, words in altered_proofs(site.words):
        raw = b"".join(word.to_bytes(32, "big") for word in words)
        assert site.contract.check(STATEMENT, site.root, OUTPUTS, raw) is False, name
        assert site.gas() <= REFUSAL_GAS, name


@pytest.mark.parametrize("at", range(3), ids=["statement", "evaluation", "field root"])
async def test_each_public_input_is_bound_on_chain(site: Site, at: int) -> None:
    for other in (
        site.public[at] ^ 1,
        site.public[at] + FIELD_MODULUS,
        0,
    ):
        changed = [*site.public[:at], other, *site.public[at + 1 :]]
        assert site.contract.verify(site.words, changed) is False


async def test_swapped_public_inputs_are_refused(site: Site) -> None:
    statement, evaluated, root = site.public
    for order in ([evaluated, statement, root], [root, evaluated, statement]):
        assert site.contract.verify(site.words, order) is False


async def test_another_task_or_readings_are_refused(site: Site) -> None:
    check = site.contract.check
    assert check(STATEMENT + 1, site.root, OUTPUTS, site.proof) is False
    assert check(STATEMENT, site.root + 1, OUTPUTS, site.proof) is False
    assert check(STATEMENT + FIELD_MODULUS, site.root, OUTPUTS, site.proof) is False
    assert check(STATEMENT, site.root + FIELD_MODULUS, OUTPUTS, site.proof) is False


async def test_other_lengths_are_refused(site: Site) -> None:
    """A trailing zero leaves the evaluation as it is, so the length must be exact."""
    longer = [*OUTPUTS, 0]
    assert evaluation(longer, STATEMENT) == site.public[1]
    for wrong in (longer, OUTPUTS[:-1], [], [*OUTPUTS] + [0] * 121):
        assert site.contract.check(STATEMENT, site.root, wrong, site.proof) is False


async def test_an_output_plus_r_is_refused(site: Site) -> None:
    """It too leaves the evaluation as it is, so every output is held to its declared range."""
    for at in range(len(OUTPUTS)):
        shifted = [*OUTPUTS[:at], OUTPUTS[at] + FIELD_MODULUS, *OUTPUTS[at + 1 :]]
        if at % 16 == 0:
            assert evaluation(shifted, STATEMENT) == site.public[1]
        assert site.contract.check(STATEMENT, site.root, shifted, site.proof) is False


async def test_every_output_is_held_to_its_maximum(site: Site) -> None:
    for at, maximum in enumerate(ASSEMBLED.maxima):
        beyond = [*OUTPUTS[:at], maximum + 1, *OUTPUTS[at + 1 :]]
        assert site.contract.check(STATEMENT, site.root, beyond, site.proof) is False
        assert site.gas() < 60_000, "refused before the pairing, by its range"


async def test_changed_and_swapped_outputs_are_refused(site: Site) -> None:
    one, none = OUTPUTS.index(1, 65), OUTPUTS.index(0, 65)
    swapped = [*OUTPUTS]
    swapped[one], swapped[none] = 0, 1
    assert site.contract.check(STATEMENT, site.root, swapped, site.proof) is False
    for at in (0, 2, 4, len(OUTPUTS) - 1):
        other = OUTPUTS[at] - 1 if OUTPUTS[at] else 1
        changed = [*OUTPUTS[:at], other, *OUTPUTS[at + 1 :]]
        assert site.contract.check(STATEMENT, site.root, changed, site.proof) is False


async def test_single_bit_flips_are_refused(site: Site) -> None:
    for bit in random.Random(1).sample(range(2_048), FLIPS):
        raw = bytearray(site.proof)
        raw[bit // 8] ^= 1 << bit % 8
        assert site.contract.check(STATEMENT, site.root, OUTPUTS, bytes(raw)) is False, bit


@pytest.mark.parametrize("size", [0, 255, 257, 288, 2_048])
async def test_other_proof_sizes_are_refused(site: Site, size: int) -> None:
    proof = (site.proof + bytes(2_048))[:size]
    assert site.contract.check(STATEMENT, site.root, OUTPUTS, proof) is False


def rerandomised(vk: VerificationKey, proof: bytes) -> bytes:
    """Another valid proof without the witness: A/z, zB + zs·delta, C + sA."""
    z, s = 0x1234567, 0x7654321
    words = words_of(proof)

    def g2(xi: int, xr: int, yi: int, yr: int) -> Any:
        return FQ2([xr, xi]), FQ2([yr, yi]), FQ2.one()

    a: Any = (FQ(words[0]), FQ(words[1]), FQ.one())
    c: Any = (FQ(words[6]), FQ(words[7]), FQ.one())
    b, delta = g2(*words[2:6]), g2(*vk.g2[2])
    new_a = normalize(multiply(a, pow(z, -1, curve_order)))
    new_b = normalize(add(multiply(b, z), multiply(delta, z * s % curve_order)))
    new_c = normalize(add(c, multiply(a, s)))
    x, y = (coordinate.coeffs for coordinate in new_b)
    flat = [*map(int, new_a), int(x[1]), int(x[0]), int(y[1]), int(y[0]), *map(int, new_c)]
    return b"".join(word.to_bytes(32, "big") for word in flat)


async def test_malleability_changes_nothing_but_the_bytes(site: Site, prover: Prover) -> None:
    """Anyone can re-randomise a proof, so nothing may ever be counted by proof bytes."""
    other = rerandomised(site.keys.vk, site.proof)
    assert other != site.proof
    assert await holds(prover.engine, site.keys.vk, other, site.public)
    assert site.contract.check(STATEMENT, site.root, OUTPUTS, other) is True
    assert site.contract.check(STATEMENT + 1, site.root, OUTPUTS, other) is False
    changed = [OUTPUTS[0] - 1, *OUTPUTS[1:]]
    assert site.contract.check(STATEMENT, site.root, changed, other) is False


async def test_a_key_or_maxima_of_another_shape_are_refused(site: Site) -> None:
    vk = VerificationKey(site.keys.vk.raw[:-64])
    with pytest.raises(RuleBroken, match="public inputs"):
        verifier(Keys(site.keys.circuit, True, vk), ASSEMBLED.maxima)
    for maxima in ([], [1] * 257, [FIELD_MODULUS], [-1]):
        with pytest.raises(RuleBroken, match="maxima"):
            verifier(site.keys, maxima)


@pytest.mark.parametrize("maxima", [[7], [7, 1, 2, 3], [5] * 256, [1, 2] * 3 + [9]])
async def test_other_layouts_fold_the_same(site: Site, maxima: list[int]) -> None:
    """The loops run last to first over any layout; seen through the evaluation that they give."""
    source = verifier(site.keys, maxima).source.replace(
        "return self._verify(words, [statement, evaluation, field_root])",
        "return evaluation == field_root",
    )
    contract: Any = boa.loads(source)
    chance = random.Random(len(maxima))
    chosen = [chance.randint(0, maximum) for maximum in maxima]
    expected = evaluation(chosen, STATEMENT)
    assert contract.check(STATEMENT, expected, chosen, bytes(256)) is True
    assert contract.check(STATEMENT, expected + 1, chosen, bytes(256)) is False
    for at, maximum in enumerate(maxima):
        beyond = [*chosen[:at], maximum + 1, *chosen[at + 1 :]]
        assert contract.check(STATEMENT, evaluation(beyond, STATEMENT), beyond, bytes(256)) is False
