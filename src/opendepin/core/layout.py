"""How a reading becomes words: the lanes of its values, packed into field elements.

In: a schema. Out: a `Layout`, a function of it alone, that turns readings into words and names
where each lane lies. A word is what the field tree commits to and what a circuit takes apart again;
no lane is split over two words, so taking one apart is one range check per lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from opendepin.core.errors import SchemaRejected
from opendepin.core.journey import Reading
from opendepin.core.limits import (
    MAX_DEVICES_PER_PROJECT,
    MAX_LANE_BITS,
    MAX_LANES,
    MAX_OBSERVED_S,
    MAX_SEQ,
    MAX_WORDS_PER_READING,
    WORD_BITS,
)
from opendepin.core.schema import Schema

FIXED = (
    ("device_index", MAX_DEVICES_PER_PROJECT - 1),
    ("observed_s", MAX_OBSERVED_S),
    ("seq", MAX_SEQ),
)
"""The lanes that every reading starts with, and the largest value of each."""


@dataclass(frozen=True)
class Lane:
    """One value's place: `bits` bits of a word from bit `shift` up, which hold value - minimum."""

    name: str
    """The field's name, the same for all values of an array field."""
    minimum: int
    maximum: int
    bits: int
    word: int
    shift: int


@dataclass(frozen=True)
class Layout:
    """All lanes of a project's readings, in order."""

    lanes: tuple[Lane, ...]

    @classmethod
    def of(cls, schema: Schema) -> Layout:
        """Return the layout of a schema's readings.

        Raises:
            SchemaRejected: code `layout`, a value or the whole is too wide.
        """
        return _layout(schema)

    @classmethod
    def of_bounds(cls, bounds: Sequence[tuple[str, int, int]]) -> Layout:
        """Return the layout of lanes given as (name, minimum, maximum), the fixed ones included.

        Raises:
            SchemaRejected: code `layout`.
        """
        heads = [(name, 0, maximum) for name, maximum in FIXED]
        if [*bounds[: len(FIXED)]] != heads:
            raise SchemaRejected("a reading starts with index, time and number", code="layout")
        return Layout(_placed(bounds))

    @property
    def bounds(self) -> list[tuple[str, int, int]]:
        """Name, minimum and maximum of each lane: all that the layout follows from."""
        return [(lane.name, lane.minimum, lane.maximum) for lane in self.lanes]

    @cached_property
    def words(self) -> int:
        """Words per reading."""
        return self.lanes[-1].word + 1

    @cached_property
    def fields(self) -> dict[str, tuple[int, ...]]:
        """Name of each field but `observed_s` → numbers of its lanes."""
        found: dict[str, tuple[int, ...]] = {}
        for number, lane in enumerate(self.lanes[len(FIXED) :], len(FIXED)):
            found[lane.name] = (*found.get(lane.name, ()), number)
        return found

    def bits_of(self, word: int) -> int:
        """Return how many bits of a word are used; those above are zero."""
        return sum(lane.bits for lane in self.lanes if lane.word == word)

    def stored(self, reading: Reading) -> list[int]:
        """Return what stands in each lane: the reading's values, each less its minimum.

        Raises:
            SchemaRejected: code `layout`, another number of values, or one outside its bounds.
        """
        given = (reading.device_index, reading.observed_s, reading.seq, *reading.values)
        if len(given) != len(self.lanes):
            text = f"{len(given)} lanes given where the layout has {len(self.lanes)}"
            raise SchemaRejected(text, code="layout")
        for lane, value in zip(self.lanes, given, strict=True):
            if not lane.minimum <= value <= lane.maximum:
                text = f"{lane.name} = {value} is outside {lane.minimum}..{lane.maximum}"
                raise SchemaRejected(text, code="layout")
        return [value - lane.minimum for lane, value in zip(self.lanes, given, strict=True)]

    def pack(self, reading: Reading) -> list[int]:
        """Return a reading's words.

        Raises:
            SchemaRejected: see `stored`.
        """
        words = [0] * self.words
        for lane, value in zip(self.lanes, self.stored(reading), strict=True):
            words[lane.word] |= value << lane.shift
        return words

    def pack_all(self, readings: Sequence[Reading]) -> list[int]:
        """Return the words of all readings, in order."""
        return [word for reading in readings for word in self.pack(reading)]


@lru_cache(maxsize=256)
def _layout(schema: Schema) -> Layout:
    bounds = [(name, 0, maximum) for name, maximum in FIXED]
    for field in schema.fields[1:]:
        bounds += [(field.name, field.minimum, field.maximum)] * field.length
    return Layout.of_bounds(bounds)


def _placed(bounds: Sequence[tuple[str, int, int]]) -> tuple[Lane, ...]:
    lanes: list[Lane] = []
    word = shift = 0
    for name, minimum, maximum in bounds:
        bits = max(1, (maximum - minimum).bit_length())
        if maximum < minimum or bits > MAX_LANE_BITS:
            text = f"{name} is wider than a lane, which has {MAX_LANE_BITS} bits"
            raise SchemaRejected(text, code="layout")
        if shift + bits > WORD_BITS:
            word, shift = word + 1, 0
        lanes.append(Lane(name, minimum, maximum, bits, word, shift))
        shift += bits
    if len(lanes) > MAX_LANES or word >= MAX_WORDS_PER_READING:
        text = f"a reading has {len(lanes)} lanes in {word + 1} words"
        limit = f"at most {MAX_LANES} in {MAX_WORDS_PER_READING} can be proven"
        raise SchemaRejected(f"{text}; {limit}", code="layout")
    return tuple(lanes)
