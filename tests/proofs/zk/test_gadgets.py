"""Each gadget computes what it says, refuses forged witnesses, and leaves nothing open.

Forged witnesses are refused by our row checker and by gnark's own, which share no code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core import poseidon as plain
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk import gadgets as g
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.field import pack
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.solver import solve, violation
from opendepin.proofs.zk.trace import Trace
from tests.proofs.zk.circuits import forged, free, own, solo, written

WIDTH = 16
SMALL = st.integers(0, (1 << WIDTH) - 1)
ELEMENT = st.integers(0, FIELD_MODULUS - 1)


def bits(t: Trace, x: Linear) -> list[Linear]:
    return [g.weighted(g.bits(t, x, WIDTH)[::-1])]


def less_than(t: Trace, a: Linear, b: Linear) -> list[Linear]:
    g.bits(t, a, WIDTH)
    g.bits(t, b, WIDTH)
    return [g.less_than(t, a, b, WIDTH)]


def below(bound: int) -> Callable[..., list[Linear]]:
    def body(t: Trace, x: Linear) -> list[Linear]:
        places = g.bits(t, x, WIDTH)
        return [g.below(t, places, bound, cache(lambda at: t.product(places[at], places[at + 1])))]

    return body


def below_odd(t: Trace, x: Linear) -> list[Linear]:
    places = g.bits(t, x, 5)
    return [g.below(t, places, 19, lambda at: t.product(places[at], places[at + 1]))]


def extremes(t: Trace, *wires: Linear) -> list[Linear]:
    """Three gates, three values."""
    gates, values = [g.boolean(t, gate) for gate in wires[:3]], wires[3:]
    for value in values:
        g.bits(t, value, WIDTH)
    gated = [t.product(gate, value) for gate, value in zip(gates, values, strict=True)]
    return [*g.extremes(t, gates, gated, WIDTH)]


def unpacked(t: Trace, word: Linear, present: Linear) -> list[Linear]:
    places = g.unpacked(t, word, g.boolean(t, present), WIDTH)
    return [g.weighted(places[:9]), g.weighted(places[9:])]


def select(t: Trace, flag: Linear, a: Linear, b: Linear) -> list[Linear]:
    return [g.select(t, g.boolean(t, flag), a, b)]


def is_zero(t: Trace, x: Linear) -> list[Linear]:
    return [g.is_zero(t, x)]


def one_hot(t: Trace, index: Linear, gate: Linear) -> list[Linear]:
    return g.one_hot(t, g.bits(t, index, 5), 6, g.boolean(t, gate))


def raise_largest(t: Trace, *wires: Linear) -> list[Linear]:
    """Value, place among three, gate, three states."""
    value, place, gate, *states = wires
    for ranged in (value, *states):
        g.bits(t, ranged, WIDTH)
    groups = g.one_hot(t, g.bits(t, place, 2), 3, g.boolean(t, gate))
    return g.raise_largest(t, groups, states, value, WIDTH)


def poseidon2(t: Trace, *wires: Linear) -> list[Linear]:
    return [g.poseidon(t, *wires)]


BODIES: dict[str, tuple[int, Callable[..., list[Linear]], tuple[int, ...]]] = {
    "bits": (1, bits, (0xBEEF,)),
    "less_than": (2, less_than, (3, 50)),
    "below": (1, below(0xB00D), (0xBEEF,)),
    "below_odd": (1, below_odd, (18,)),
    "extremes": (6, extremes, (1, 0, 1, 40, 90, 7)),
    "unpacked": (2, unpacked, (0xBEEF, 1)),
    "select": (3, select, (1, 7, 9)),
    "is_zero": (1, is_zero, (4,)),
    "one_hot": (2, one_hot, (4, 1)),
    "raise_largest": (6, raise_largest, (40, 1, 1, 10, 20, 30)),
    "poseidon2": (2, poseidon2, (1, 2)),
    "poseidon4": (4, poseidon2, (1, 2, 3, 4)),
}
CIRCUITS = {name: solo(inputs, body) for name, (inputs, body, _) in BODIES.items()}


def outputs(circuit: Circuit, *inputs: int) -> list[int]:
    """Solve, insist that all rows hold, return the public outputs."""
    wires = solve(circuit, inputs, {})
    assert violation(circuit, wires) is None
    return wires[1 : 1 + len(circuit.public)]


def holds(circuit: Circuit, *inputs: int) -> bool:
    return violation(circuit, solve(circuit, inputs, {})) is None


# ------------------------------------------------------------------ what they compute


@given(SMALL)
def test_bits(x: int) -> None:
    reversed_bits = int(format(x, f"0{WIDTH}b")[::-1], 2)
    assert outputs(CIRCUITS["bits"], x) == [reversed_bits]


@given(
    st.one_of(
        st.integers(1 << WIDTH, 1 << 40), st.integers(FIELD_MODULUS - 70_000, -1 + FIELD_MODULUS)
    )
)
def test_bits_refuse_what_is_out_of_range(x: int) -> None:
    assert not holds(CIRCUITS["bits"], x)


@given(SMALL, SMALL)
def test_less_than(a: int, b: int) -> None:
    assert outputs(CIRCUITS["less_than"], a, b) == [int(a < b)]
    assert outputs(CIRCUITS["less_than"], a, a) == [0]


@settings(max_examples=60)
@given(SMALL, st.integers(1, (1 << WIDTH) - 1), st.integers(-2, 2))
def test_below_a_constant(x: int, bound: int, near: int) -> None:
    circuit = solo(1, below(bound))
    for value in (x, min(max(bound + near, 0), (1 << WIDTH) - 1)):
        assert outputs(circuit, value) == [int(value < bound)]


def test_below_with_an_odd_number_of_bits() -> None:
    assert [outputs(CIRCUITS["below_odd"], x)[0] for x in range(32)] == [1] * 19 + [0] * 13


@given(st.tuples(*[st.booleans()] * 3), st.tuples(*[SMALL] * 3))
def test_extremes(gates: tuple[bool, ...], values: tuple[int, ...]) -> None:
    chosen = [value for gate, value in zip(gates, values, strict=True) if gate]
    expected = [min(chosen, default=(1 << WIDTH) - 1), max(chosen, default=0)]
    assert outputs(CIRCUITS["extremes"], *map(int, gates), *values) == expected


@given(SMALL)
def test_unpacked(word: int) -> None:
    assert outputs(CIRCUITS["unpacked"], word, 1) == [word & 511, word >> 9]
    assert outputs(CIRCUITS["unpacked"], 0, 0) == [0, 0]


@given(st.booleans(), ELEMENT, ELEMENT)
def test_select(flag: bool, a: int, b: int) -> None:
    assert outputs(CIRCUITS["select"], int(flag), a, b) == [a if flag else b]


@given(ELEMENT)
def test_is_zero(x: int) -> None:
    assert outputs(CIRCUITS["is_zero"], x) == [int(x == 0)]
    assert outputs(CIRCUITS["is_zero"], 0) == [1]


@given(st.integers(0, 31), st.booleans())
def test_one_hot(index: int, gate: bool) -> None:
    expected = [int(gate and place == index) for place in range(6)]
    assert outputs(CIRCUITS["one_hot"], index, int(gate)) == expected


@given(SMALL, st.integers(0, 3), st.booleans(), st.tuples(SMALL, SMALL, SMALL))
def test_raise_largest(value: int, place: int, gate: bool, states: tuple[int, ...]) -> None:
    expected = [
        max(state, value) if gate and at == place else state for at, state in enumerate(states)
    ]
    assert outputs(CIRCUITS["raise_largest"], value, place, int(gate), *states) == expected


@settings(max_examples=10)
@given(ELEMENT, ELEMENT, ELEMENT, ELEMENT)
def test_poseidon(a: int, b: int, c: int, d: int) -> None:
    assert outputs(CIRCUITS["poseidon2"], a, b) == [plain.poseidon2(a, b)]
    assert outputs(CIRCUITS["poseidon4"], a, b, c, d) == [plain.poseidon4(a, b, c, d)]


def test_rows_are_as_documented() -> None:
    publish = 1
    rows = {
        name: circuit.constraints - len(circuit.public) * publish
        for name, circuit in CIRCUITS.items()
    }
    assert rows["poseidon2"] == 244
    assert rows["poseidon4"] == 309
    assert rows["is_zero"] == 3 + publish  # 1 - x·y gets a wire of its own to be public
    assert rows["bits"] == WIDTH + 1 + publish
    assert rows["less_than"] == 3 * (WIDTH + 1) + publish
    assert rows["below"] - rows["bits"] <= WIDTH


# ------------------------------------------------------------------ what they refuse


def _cases() -> list[tuple[str, str, tuple[int, ...], dict[int, int]]]:
    """Gadget, what is forged, inputs, changed wires among the gadget's own."""
    return [
        ("bits", "6 as 6 · 1 with a place that is no bit", (6,), {0: 6, 1: 0, 2: 0}),
        ("bits", "a decomposition of another number", (6,), {0: 1}),
        ("less_than", "the answer flipped", (3, 50), {-1: 0}),
        ("below", "the answer flipped", (0xBEEF,), {-1: 1}),
        ("below", "a product of two bits that is none", (0xBEEF,), {WIDTH: 5}),
        ("below", "the number taken apart otherwise", (0xBEEF,), {0: 3, 1: 0}),
        ("below_odd", "the answer flipped", (19,), {-1: 1}),
        ("extremes", "a larger largest", (1, 0, 1, 40, 90, 7), {-1: 90}),
        ("extremes", "a smaller smallest", (1, 0, 1, 40, 90, 7), {-2: 0}),
        ("unpacked", "a lane's top bit moved below", (0xBEEF, 1), {9: 0, 8: 3}),
        ("unpacked", "another lane", (0xBEEF, 1), {-1: 5}),
        ("less_than", "the difference taken apart otherwise", (3, 50), {2 * WIDTH: 0, -1: 0}),
        ("less_than", "a bit that is none", (3, 50), {2 * WIDTH: 3, 2 * WIDTH + 1: 1, -1: 0}),
        ("is_zero", "zero for 4", (4,), {0: 0, 1: 0}),
        ("is_zero", "not zero for 0", (0,), {1: 1}),
        ("one_hot", "a reading moved to another place", (2, 1), {-1: 1}),
        (
            "raise_largest",
            "a state raised to nothing that was read",
            (40, 1, 1, 10, 20, 30),
            {-1: 99},
        ),
        ("raise_largest", "a state not raised", (40, 1, 1, 10, 20, 30), {-2: 20}),
        ("poseidon2", "another hash", (1, 2), {-1: 5}),
        ("poseidon4", "another hash", (1, 2, 3, 4), {-1: 5}),
    ]


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("name", "what", "inputs", "changes"), _cases())
async def test_forged_wires_are_refused(
    engine: Engine, name: str, what: str, inputs: tuple[int, ...], changes: dict[int, int]
) -> None:
    circuit = CIRCUITS[name]
    honest = solve(circuit, inputs, {})
    count = circuit.blocks[0].template.wires
    moved = {own(circuit, at if at >= 0 else count + at): value for at, value in changes.items()}
    lie = forged(circuit, honest, moved)
    assert lie != honest
    assert violation(circuit, honest) is None
    assert await gnark_accepts(engine, circuit, honest)
    assert violation(circuit, lie) is not None, what
    assert not await gnark_accepts(engine, circuit, lie), what


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("select", (2, 7, 9)),
        ("one_hot", (2, 5)),
        ("less_than", (FIELD_MODULUS - 5, 10)),
        ("bits", (1 << WIDTH,)),
        ("below", (1 << WIDTH,)),
        ("unpacked", (1 << WIDTH, 1)),
        ("unpacked", (7, 0)),
        ("unpacked", (7, 2)),
        ("extremes", (1, 2, 1, 40, 90, 7)),
        ("extremes", (1, 0, 1, 1 << WIDTH, 90, 7)),
        ("raise_largest", (1 << WIDTH, 1, 1, 10, 20, 30)),
    ],
)
async def test_inputs_without_their_promise_are_refused(
    engine: Engine, name: str, inputs: tuple[int, ...]
) -> None:
    circuit = CIRCUITS[name]
    wires = solve(circuit, inputs, {})
    assert violation(circuit, wires) is not None
    assert not await gnark_accepts(engine, circuit, wires)


async def gnark_accepts(engine: Engine, circuit: Circuit, wires: list[int]) -> bool:
    program = written(circuit)
    await engine.call("load", program.text)
    answer = await engine.call("check", pack(wires), circuit=program.hash.hex())
    return answer.header["ok"] is True


@pytest.mark.parametrize("name", [name for name in BODIES if "poseidon" not in name])
def test_no_wire_can_be_changed_alone(name: str) -> None:
    _, _, inputs = BODIES[name]
    circuit = CIRCUITS[name]
    honest = solve(circuit, inputs, {})
    for wire in range(
        circuit.blocks[0].base, circuit.blocks[0].base + circuit.blocks[0].template.wires
    ):
        assert violation(circuit, forged(circuit, honest, {wire: honest[wire] + 1})) is not None


# ------------------------------------------------------------------ nothing is left open


@pytest.mark.parametrize("name", BODIES)
def test_outputs_are_functions_of_the_inputs(name: str) -> None:
    _, _, inputs = BODIES[name]
    circuit = CIRCUITS[name]
    assert not free(circuit, solve(circuit, inputs, {}), circuit.given)


def test_is_zero_leaves_nothing_open_at_zero() -> None:
    circuit = CIRCUITS["is_zero"]
    assert not free(circuit, solve(circuit, (0,), {}), circuit.given)


def test_the_look_finds_an_advice_in_a_row_that_binds_nothing() -> None:
    def sloppy(t: Trace, x: Linear) -> list[Linear]:
        tripled = t.advise_value(x * 3)
        t.product(tripled, x)
        return [tripled]

    circuit = solo(1, sloppy)
    honest = solve(circuit, (5,), {})
    lie = forged(circuit, honest, {own(circuit, 0): 99, own(circuit, 1): 495})
    assert violation(circuit, lie) is None
    assert free(circuit, honest, circuit.given) >= {own(circuit, 0)}


def test_gadgets_need_their_promises() -> None:
    """What goes wrong without the checks that the language's types stand for."""
    loose = solo(1, lambda t, x: [g.less_than(t, x, Linear.of(10), WIDTH)])
    assert outputs(loose, FIELD_MODULUS - 5) == [1]
    unchecked = solo(3, lambda t, f, a, b: [g.select(t, f, a, b)])
    assert outputs(unchecked, 2, 7, 9) == [5]
