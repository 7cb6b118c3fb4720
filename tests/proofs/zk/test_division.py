"""Division by a constant: what it computes, what it refuses, and that nothing is left open."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk import division
from opendepin.proofs.zk import gadgets as g
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.field import pack
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.program import program
from opendepin.proofs.zk.solver import solve, violation
from opendepin.proofs.zk.trace import Trace
from tests.proofs.zk.circuits import TREE, forged, free, own, solo


def dividing(most: int, divisor: int) -> Circuit:
    """Quotient and remainder of one input; the input's range is the caller's promise."""

    def body(trace: Trace, value: Linear) -> list[Linear]:
        quotient, remainder = division.divided(trace, value, most, divisor)
        return [g.weighted(quotient), g.weighted(remainder)]

    return solo(1, body)


def said(circuit: Circuit, value: int) -> list[int] | None:
    wires = solve(circuit, [value], {})
    return wires[1:3] if violation(circuit, wires) is None else None


@given(st.data(), st.integers(2, 120), st.integers(2, 1 << 40))
def test_it_divides_rounding_down(data: st.DataObject, bits: int, divisor: int) -> None:
    most = max(divisor, (1 << bits) - 1)
    circuit = dividing(most, divisor)
    near = st.integers(0, most // divisor).map(lambda times: times * divisor)
    off = st.sampled_from([-1, 0, 1])
    edge = st.builds(lambda at, by: min(max(at + by, 0), most), near, off)
    for value in (data.draw(st.integers(0, most)), data.draw(edge), 0, most):
        assert said(circuit, value) == [*divmod(value, divisor)]


@given(st.integers(0, 100), st.integers(2, 16))
@example(100, 16)
@example(99, 3)
def test_no_other_quotient_has_a_witness(value: int, divisor: int) -> None:
    """All quotients that fit the bits are tried, each with the remainder that would belong."""
    circuit = dividing(100, divisor)
    honest = solve(circuit, [value], {})
    size, rest = (100 // divisor).bit_length(), (divisor - 1).bit_length()
    for quotient in range(1 << size):
        remainder = value - quotient * divisor
        if quotient == value // divisor or not 0 <= remainder < 1 << rest:
            continue
        changes = {own(circuit, at): quotient >> at & 1 for at in range(size)}
        changes |= {own(circuit, size + at): remainder >> at & 1 for at in range(rest)}
        lie = forged(circuit, honest, changes)
        assert violation(circuit, _followed(circuit, lie)) is not None


def _followed(circuit: Circuit, wires: list[int]) -> list[int]:
    """Let products of forged bits be what they should be, as a clever forger would."""
    found = [*wires]
    for block in circuit.blocks:
        ids = block.wires(0)
        for left, right, result in block.template.rows:
            if len(result) == 1 and result[0][1] == 1 and ids[result[0][0]] >= block.base:
                a, b = (sum(f * found[ids[w]] for w, f in terms) for terms in (left, right))
                found[ids[result[0][0]]] = a * b % FIELD_MODULUS
    for target, source in circuit.copies:
        found[target] = found[source]
    return found


@pytest.mark.parametrize(("value", "divisor"), [(41, 7), (0, 7), (100, 8), (96, 8), (6, 100)])
def test_nothing_is_left_open(value: int, divisor: int) -> None:
    circuit = dividing(100, divisor)
    honest = solve(circuit, [value], {})
    assert not free(circuit, honest, circuit.given)
    block = circuit.blocks[0]
    for wire in range(block.base, block.base + block.template.wires):
        assert violation(circuit, forged(circuit, honest, {wire: honest[wire] + 1})) is not None


@pytest.mark.parametrize("value", [FIELD_MODULUS - 1, FIELD_MODULUS - 7, 1 << 60])
def test_a_value_far_out_of_range_has_no_proof(value: int) -> None:
    assert said(dividing(100, 7), value) is None


@pytest.mark.parametrize(("most", "divisor"), [(100, 1), (100, 101), (1 << 124, 3), (100, 0)])
def test_what_cannot_be_divided_is_refused(most: int, divisor: int) -> None:
    assert dividing((1 << 124) - 1, 3)
    with pytest.raises(RuleBroken, match="divided by a constant"):
        dividing(most, divisor)


@pytest.mark.parametrize(
    ("most", "divisor", "rows"), [(86_399, 3_600, 28), (86_399, 4_096, 18), ((1 << 40) - 1, 10, 46)]
)
def test_rows_are_as_documented(most: int, divisor: int, rows: int) -> None:
    publish = 4
    assert dividing(most, divisor).constraints - publish == rows


@pytest.mark.asyncio(loop_scope="session")
async def test_gnark_agrees(engine: Engine) -> None:
    circuit = dividing(86_399, 3_600)
    honest = solve(circuit, [50_000], {})
    lie = forged(circuit, honest, {own(circuit, 0): 1 - honest[own(circuit, 0)]})
    written = program(circuit, TREE, (), ())
    await engine.call("load", written.text)
    for wires, taken in ((honest, True), (lie, False)):
        answer = await engine.call("check", pack(wires), circuit=written.hash.hex())
        assert answer.header["ok"] is taken
