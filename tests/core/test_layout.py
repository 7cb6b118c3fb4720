"""Readings as words: what goes in comes out, nothing overlaps, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.errors import EncodingRejected, SchemaRejected
from opendepin.core.field_tree import FieldTree, tree_depth
from opendepin.core.journey import Reading
from opendepin.core.layout import Layout
from opendepin.core.limits import MAX_LANES, MAX_OBSERVED_S, WORD_BITS
from opendepin.core.schema import OBSERVED, Field, Schema

TIME = Field(OBSERVED, "observed_s", 0, MAX_OBSERVED_S)
BOUND = st.integers(-(2**62), 2**62)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    fields = [TIME]
    for key in range(2, draw(st.integers(2, 7))):
        low, high = sorted((draw(BOUND), draw(st.one_of(BOUND, st.integers(-50, 50)))))
        fields.append(Field(key, f"f{key}", low, high, length=draw(st.integers(1, 9))))
    return Schema(tuple(fields))


@st.composite
def readings(draw: st.DrawFn, layout: Layout) -> Reading:
    index, observed, seq, *values = (
        draw(st.one_of(st.just(low), st.just(high), st.integers(low, high)))
        for _, low, high in layout.bounds
    )
    return Reading(index, seq, observed, tuple(values))


def unpacked(layout: Layout, words: list[int]) -> list[int]:
    """Another way back: cut each word into its lanes."""
    return [
        (words[lane.word] >> lane.shift & ((1 << lane.bits) - 1)) + lane.minimum
        for lane in layout.lanes
    ]


@settings(max_examples=150)
@given(st.data())
def test_words_hold_the_reading_and_nothing_else(data: st.DataObject) -> None:
    layout = Layout.of(data.draw(schemas()))
    reading = data.draw(readings(layout))
    words = layout.pack(reading)
    expected = [reading.device_index, reading.observed_s, reading.seq, *reading.values]
    assert unpacked(layout, words) == expected
    assert len(words) == layout.words
    assert all(word >> layout.bits_of(at) == 0 for at, word in enumerate(words))
    assert Layout.of_bounds(layout.bounds) == layout


@settings(max_examples=60)
@given(schemas())
def test_lanes_never_overlap_or_cross_a_word(schema: Schema) -> None:
    layout = Layout.of(schema)
    taken: set[tuple[int, int]] = set()
    for lane in layout.lanes:
        places = {(lane.word, lane.shift + at) for at in range(lane.bits)}
        assert not places & taken
        assert lane.shift + lane.bits <= WORD_BITS
        taken |= places


def test_the_lanes_of_the_page() -> None:
    """`encodings.md` §4: index 20, time 40, number 53 bits, then the fields by key."""
    fields = (TIME, Field(2, "a", -5, 10), Field(7, "b", 0, 0, length=2), Field(9, "c", 0, 2**63))
    layout = Layout.of(Schema(fields))
    assert [(lane.name, lane.bits, lane.word, lane.shift) for lane in layout.lanes] == [
        ("device_index", 20, 0, 0),
        ("observed_s", 40, 0, 20),
        ("seq", 53, 0, 60),
        ("a", 4, 0, 113),
        ("b", 1, 0, 117),
        ("b", 1, 0, 118),
        ("c", 64, 0, 119),
    ]
    reading = Reading(3, 5, 4, (-4, 0, 0, 9))
    assert layout.pack(reading) == [3 | 4 << 20 | 5 << 60 | 1 << 113 | 9 << 119]
    assert layout.fields == {"a": (3,), "b": (4, 5), "c": (6,)}


def test_a_lane_that_does_not_fit_starts_the_next_word() -> None:
    layout = Layout.of(Schema((TIME, Field(2, "wide", 0, 2**63, length=3))))
    assert [(lane.word, lane.shift) for lane in layout.lanes[3:]] == [(0, 113), (0, 177), (1, 0)]


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("wrong", [-6, 11, -(2**70), 2**70])
def test_a_value_outside_its_bounds_is_refused(at: int, wrong: int) -> None:
    layout = Layout.of(Schema((TIME, Field(2, "a", -5, 10, length=2))))
    good = Reading(0, 1, 2, (-5, 10))
    assert layout.pack(good)
    values = tuple(wrong if number == at else value for number, value in enumerate(good.values))
    with pytest.raises(SchemaRejected, match="outside") as caught:
        layout.pack(replace(good, values=values))
    assert caught.value.code == "layout"


@pytest.mark.parametrize("values", [(), (1,), (1, 2, 3)])
def test_another_number_of_values_is_refused(values: tuple[int, ...]) -> None:
    layout = Layout.of(Schema((TIME, Field(2, "a", -5, 10, length=2))))
    with pytest.raises(SchemaRejected, match="lanes"):
        layout.pack(Reading(0, 1, 2, values))


def test_what_is_too_wide_has_no_layout() -> None:
    for field in (
        Field(2, "a", 0, 2**64),
        Field(2, "a", -(2**63), 2**63),
        Field(2, "a", 0, 2**61, length=90),
    ):
        with pytest.raises(SchemaRejected) as caught:
            Layout.of(Schema((TIME, field)))
        assert caught.value.code == "layout"
    widest = Layout.of(Schema((TIME, Field(2, "a", 0, 1, length=MAX_LANES - 3))))
    assert len(widest.lanes) == MAX_LANES
    with pytest.raises(SchemaRejected):
        Schema((TIME, Field(2, "a", 0, 1, length=MAX_LANES - 2)))


@pytest.mark.parametrize(
    "bounds",
    [
        [],
        [("device_index", 0, (1 << 20) - 1)],
        [("observed_s", 0, MAX_OBSERVED_S), ("device_index", 0, 1), ("seq", 0, 1)],
        [*Layout.of(Schema((TIME,))).bounds, ("a", 1, 0)],
    ],
)
def test_other_lanes_make_no_layout(bounds: list[tuple[str, int, int]]) -> None:
    with pytest.raises(SchemaRejected):
        Layout.of_bounds(bounds)


@pytest.mark.parametrize(("words", "depth"), [(1, 0), (2, 1), (4, 1), (5, 2), (256, 4), (257, 5)])
def test_the_tree_is_the_smallest_that_has_room(words: int, depth: int) -> None:
    assert tree_depth(words) == depth


def test_the_field_root_binds_words_order_and_count() -> None:
    schema = Schema((TIME, Field(2, "a", 0, 2**40, length=5)))
    tree = FieldTree(Layout.of(schema), 4)
    assert (tree.layout.words, tree.depth) == (2, 2)
    first, second = (Reading(i, 1, 2, (i, 5, 6, 7, 8)) for i in range(2))
    roots = {
        tree.root(some)
        for some in ([first], [second], [first, second], [second, first], [first, first])
    }
    assert len(roots) == 5
    for place in range(5):
        values = tuple(v + (at == place) for at, v in enumerate(first.values))
        assert tree.root([replace(first, values=values)]) not in roots
    with pytest.raises(EncodingRejected):
        tree.root([first] * 9)
