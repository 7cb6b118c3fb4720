"""TopoJSON to shapes: polygons cut at the antimeridian, and the borders that two countries share.

A ring of the source that crosses 180° jumps from one edge of the map to the other; drawn as it
stands it is a band
over the whole world. Such a ring is unrolled past 180°, closed over the pole where it goes
around one, and cut back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

Position = tuple[float, float]
HALF, WHOLE = 180.0, 360.0
POLE = -90.0
MIN_RING = 4
"""Fewest positions of a ring; the source has some that its rounding shrank to a point."""


class Topology:
    """A decoded TopoJSON file."""

    def __init__(self, value: dict[str, Any], name: str) -> None:
        (sx, sy), (tx, ty) = value["transform"]["scale"], value["transform"]["translate"]
        self._arcs: list[list[Position]] = []
        for arc in value["arcs"]:
            x = y = 0
            line: list[Position] = []
            for dx, dy in arc:
                x, y = x + dx, y + dy
                line.append((x * sx + tx, y * sy + ty))
            self._arcs.append(line)
        self._objects: list[dict[str, Any]] = value["objects"][name]["geometries"]

    def shapes(self) -> Iterator[tuple[str, BaseGeometry]]:
        """Yield each object's name and shape."""
        for each in self._objects:
            parts: list[list[list[int]]] = []
            if each["type"] == "Polygon":
                parts = [each["arcs"]]
            elif each["type"] == "MultiPolygon":
                parts = each["arcs"]
            polygons = [self._polygon(rings) for rings in parts]
            if polygons:
                yield each["properties"]["name"], unary_union(polygons)

    def borders(self) -> list[list[Position]]:
        """Return the arcs that stand in two objects."""
        used: Counter[int] = Counter()
        for each in self._objects:
            for arc in set(_flat(each.get("arcs", []))):
                used[arc] += 1
        lines = [self._arcs[arc] for arc, times in used.items() if times > 1]
        return [line for line in lines if abs(line[0][0]) < HALF or abs(line[-1][0]) < HALF]

    def _ring(self, arcs: Sequence[int]) -> list[Position]:
        ring: list[Position] = []
        for arc in arcs:
            line = self._arcs[arc] if arc >= 0 else self._arcs[~arc][::-1]
            ring += line[1:] if ring else line
        return ring

    def _polygon(self, rings: Sequence[Sequence[int]]) -> BaseGeometry:
        ring = self._ring(rings[0])
        outer = _unrolled(ring)
        if len(outer) < MIN_RING:
            return Polygon()
        holes = [hole for hole in map(self._ring, rings[1:]) if len(hole) >= MIN_RING]
        shape = Polygon(outer, holes if outer == ring else []).buffer(0)
        low, _, high, _ = shape.bounds
        if low >= -HALF and high <= HALF:
            return shape
        pieces: list[BaseGeometry] = []
        for turn in (-1, 0, 1):
            window = box(-HALF + turn * WHOLE, POLE, HALF + turn * WHOLE, 90)
            cut = shape.intersection(window)
            if not cut.is_empty:
                pieces.append(affinity.translate(cut, -turn * WHOLE))
        return unary_union(pieces)


def _unrolled(ring: list[Position]) -> list[Position]:
    """Follow a ring without jumps; one that goes around the pole is closed along it."""
    turn, before = 0.0, ring[0][0]
    found: list[Position] = []
    for x, y in ring:
        if x - before > HALF:
            turn -= WHOLE
        elif before - x > HALF:
            turn += WHOLE
        before = x
        found.append((x + turn, y))
    if abs(found[-1][0] - found[0][0]) > HALF:
        found += [(found[-1][0], POLE), (found[0][0], POLE), found[0]]
    return found


def _flat(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value if value >= 0 else ~value
    else:
        for each in value:
            yield from _flat(each)


def polygons(shape: BaseGeometry) -> list[Polygon]:
    """Return a shape's polygons."""
    if isinstance(shape, Polygon):
        return [shape]
    return list(shape.geoms) if isinstance(shape, MultiPolygon) else []
