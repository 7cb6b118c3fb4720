"""Random rules, as data: built in the language, and computed by plain Python beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from opendepin.core.journey import Reading as Decoded
from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import Field, Schema
from opendepin.rules import (
    Figure,
    Reading,
    Table,
    bins,
    count,
    group_by,
    histogram,
    hour_of_day,
    largest,
    largest_of,
    limited,
    mean,
    select,
    smallest,
    smallest_of,
    total,
    variance,
    windows,
)

SCHEMA = Schema(
    (
        Field(1, "observed_s", 0, MAX_OBSERVED_S, "s"),
        Field(2, "temp", -400, 600, "°C", 1),
        Field(3, "wet", 0, 100, "%"),
        Field(4, "pm", 0, 900, "µg/m³", 2, length=3),
        Field(5, "state", 0, 2, kind="enum"),
    )
)
LABELS = {"state": ("ok", "dusty", "broken")}
REGIONS = ["north", "south", None, "north", "west"]
START, WIDTH, WINDOWS = 1_000, 700, 3
EDGES = (-5, 0, Decimal("12.5"))

Recipe = tuple[Any, ...]
Plain = tuple[int, int]
"""Integer and decimals."""


def readings() -> st.SearchStrategy[list[Decoded]]:
    """One to four readings, often at edges."""
    values = st.tuples(
        st.one_of(st.integers(-400, 600), st.sampled_from([-400, -50, -1, 0, 1, 125, 600])),
        st.integers(0, 100),
        *[st.one_of(st.integers(0, 900), st.sampled_from([0, 500, 900]))] * 3,
        st.integers(0, 2),
    )
    time = st.one_of(
        st.integers(900, 3_200), st.integers(0, MAX_OBSERVED_S), st.sampled_from([0, 1_000, 3_100])
    )
    each = st.builds(Decoded, st.integers(0, 6), st.integers(0, 2**53 - 1), time, values)
    return st.lists(each, min_size=1, max_size=4)


def _numbers(inner: st.SearchStrategy[Recipe]) -> st.SearchStrategy[Recipe]:
    small = st.integers(2, 90)
    return st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "max", "min"]), inner, inner),
        st.tuples(st.sampled_from(["div", "mod", "times"]), inner, small),
        st.tuples(st.sampled_from(["abs", "coarse", "square"]), inner),
        st.tuples(st.just("limit"), inner, st.integers(-9, 9), st.integers(10, 50)),
        st.tuples(st.just("select"), _conditions(inner), inner, inner),
    )


def _conditions(number: st.SearchStrategy[Recipe]) -> st.SearchStrategy[Recipe]:
    compared = st.tuples(
        st.sampled_from(["lt", "le", "gt", "ge", "eq"]), number, st.integers(-60, 120)
    )
    pair = st.tuples(st.sampled_from(["lt2", "eq2"]), number, number)
    label = st.tuples(st.just("is"), st.sampled_from(LABELS["state"]))
    base = st.one_of(compared, pair, label)
    joined = st.tuples(st.sampled_from(["and", "or", "xor"]), base, base)
    return st.one_of(base, joined, st.tuples(st.just("not"), base))


LEAVES = st.one_of(
    st.tuples(st.just("field"), st.sampled_from(["temp", "wet"])),
    st.tuples(st.just("pm"), st.integers(0, 2)),
)
NUMBERS = st.recursive(LEAVES, _numbers, max_leaves=4)
CONDITIONS = _conditions(NUMBERS)
BY = st.sampled_from([None, "state", "region", "device", "hour", "window", "bin", "state.region"])
VALUES = st.one_of(NUMBERS, st.just(("pack",)))
KINDS = st.sampled_from(["count", "total", "mean", "variance", "smallest", "largest"])
FIGURES = st.tuples(KINDS, VALUES, st.none() | CONDITIONS | st.just(("pack<",)), BY)
RULES = st.lists(FIGURES, min_size=1, max_size=3)


def compute_of(rule: Sequence[Recipe]) -> Callable[[Reading], Mapping[str, Figure]]:
    """The rule in the language."""
    return lambda reading: {
        f"f{number}": _figure(reading, *each) for number, each in enumerate(rule)
    }


def _figure(reading: Reading, kind: str, value: Recipe, where: Recipe | None, by: Any) -> Figure:
    packed = where == ("pack<",)
    keys = {
        "state": lambda: reading["state"],
        "region": lambda: Table(REGIONS).choice(reading.device),
        "device": lambda: reading.devices(4),
        "hour": lambda: hour_of_day(reading.observed_s, -3_600),
        "window": lambda: windows(reading.observed_s, START, WIDTH, WINDOWS),
        "bin": lambda: bins(reading["temp"], -10, 20, 3),
    }
    groups: Any = None if by is None else [keys[part]() for part in by.split(".")]
    over = None if groups is None else groups[0] if len(groups) == 1 else group_by(*groups)
    flags: Any = reading["pm"] < 5 if packed else _condition(reading, where) if where else None
    if kind == "count":
        return count(flags, over)
    number = reading["pm"] if packed or value == ("pack",) else _number(reading, value)
    figures = {"total": total, "mean": mean, "variance": variance}
    if kind in figures:
        return figures[kind](number, flags, over)
    return {"smallest": smallest, "largest": largest}[kind](number, flags, over)


def _number(reading: Reading, recipe: Recipe) -> Any:
    match recipe:
        case ("field", name):
            return reading[name]
        case ("pm", at):
            return reading["pm"][at]
        case ("add" | "sub" | "max" | "min" as act, a, b):
            left, right = _level(_number(reading, a), _number(reading, b))
            return {
                "add": lambda: left + right,
                "sub": lambda: left - right,
                "max": lambda: largest_of(left, right),
                "min": lambda: smallest_of(left, right),
            }[act]()
        case ("mul", a, b):
            return _number(reading, a) * _number(reading, b)
        case ("div", a, by):
            return _number(reading, a) // by
        case ("mod", a, by):
            return _number(reading, a) % by
        case ("times", a, by):
            return by * _number(reading, a)
        case ("abs", a):
            return abs(_number(reading, a))
        case ("square", a):
            return _number(reading, a) ** 2
        case ("coarse", a):
            return _number(reading, a).at_scale(0)
        case ("limit", a, low, high):
            return limited(_number(reading, a), low, high)
        case ("select", flag, a, b):
            left, right = _level(_number(reading, a), _number(reading, b))
            return select(_condition(reading, flag), left, right)
    raise AssertionError(recipe)


def _condition(reading: Reading, recipe: Recipe) -> Any:
    match recipe:
        case ("lt" | "le" | "gt" | "ge" | "eq" as act, a, bound):
            number = _number(reading, a)
            return {
                "lt": lambda: number < bound,
                "le": lambda: number <= bound,
                "gt": lambda: number > bound,
                "ge": lambda: number >= bound,
                "eq": lambda: number == bound,
            }[act]()
        case ("lt2" | "eq2" as act, a, b):
            left, right = _level(_number(reading, a), _number(reading, b))
            return left < right if act == "lt2" else left == right
        case ("is", label):
            return reading["state"] == label
        case ("not", a):
            return ~_condition(reading, a)
        case ("and", a, b):
            return _condition(reading, a) & _condition(reading, b)
        case ("or", a, b):
            return _condition(reading, a) | _condition(reading, b)
        case ("xor", a, b):
            return _condition(reading, a) ^ _condition(reading, b)
    raise AssertionError(recipe)


def _level(left: Any, right: Any) -> tuple[Any, Any]:
    scale = max(left.scale, right.scale)
    return left.at_scale(scale), right.at_scale(scale)


# ------------------------------------------------------------------ the same in plain Python


def expected(each: Recipe, given: Sequence[Decoded]) -> dict[str, Fraction | None]:
    """Group → answer of one figure."""
    kind, value, where, by = each
    found: dict[str, list[Fraction]] = {label: [] for label in _all_labels(by)}
    for reading in given:
        label = plain_label(reading, by)
        if label in found:
            found[label] += _counted(reading, kind, value, where)
    return {label: _folded(kind, values) for label, values in found.items()}


def _counted(reading: Decoded, kind: str, value: Recipe, where: Recipe | None) -> list[Fraction]:
    pack = [Fraction(item, 100) for item in reading.values[2:5]]
    if where == ("pack<",):
        return [item for item in pack if item < 5]
    if where is not None and not plain_condition(reading, where):
        return []
    if value == ("pack",) and kind != "count":
        return pack
    if kind == "count":
        return [Fraction(1)]
    whole, scale = plain_number(reading, value)
    return [Fraction(whole, 10**scale)]


def _folded(kind: str, values: list[Fraction]) -> Fraction | None:
    if kind == "count":
        return Fraction(len(values))
    if kind == "total":
        return sum(values, Fraction(0))
    if not values:
        return None
    middle = sum(values, Fraction(0)) / len(values)
    if kind == "variance":
        return sum(((value - middle) ** 2 for value in values), Fraction(0)) / len(values)
    return {"mean": middle, "smallest": min(values), "largest": max(values)}[kind]


def _all_labels(by: str | None) -> list[str]:
    if by is None:
        return [""]
    labels = {
        "state": [*LABELS["state"]],
        "region": ["north", "south", "west"],
        "device": [str(number) for number in range(4)],
        "hour": [f"h{hour:02}" for hour in range(24)],
        "window": [f"w{number}" for number in range(WINDOWS)],
        "bin": ["-10.0", "10.0", "30.0"],
    }
    first, *rest = by.split(".")
    found = labels[first]
    for part in rest:
        found = [f"{left}.{right}" for left in found for right in labels[part]]
    return found


def plain_label(reading: Decoded, by: str | None) -> str:
    """The group that a reading falls into."""
    if by is None:
        return ""
    device, temp = reading.device_index, reading.values[0]
    since = reading.observed_s - START
    places: dict[str, Any] = {
        "state": LABELS["state"][reading.values[5]],
        "region": REGIONS[device] if device < len(REGIONS) else None,
        "device": str(device),
        "hour": f"h{(reading.observed_s - 3_600) // 3_600 % 24:02}",
        "window": f"w{since // WIDTH}" if since >= 0 else None,
        "bin": f"{(temp + 100) // 200 * 20 - 10}.0",
    }
    return ".".join(str(places[part]) for part in by.split("."))


def plain_number(reading: Decoded, recipe: Recipe) -> Plain:
    """Integer and decimals of a recipe."""
    match recipe:
        case ("field", name):
            return (reading.values[0], 1) if name == "temp" else (reading.values[1], 0)
        case ("pm", at):
            return reading.values[2 + at], 2
        case ("add" | "sub" | "max" | "min" as act, a, b):
            left, right, scale = plain_level(reading, a, b)
            acts = {"add": left + right, "sub": left - right}
            return acts.get(act, max(left, right) if act == "max" else min(left, right)), scale
        case ("mul", a, b):
            (left, first), (right, second) = plain_number(reading, a), plain_number(reading, b)
            return left * right, first + second
        case ("div", a, by):
            whole, scale = plain_number(reading, a)
            return whole // (by * 10**scale), 0
        case ("mod", a, by):
            whole, scale = plain_number(reading, a)
            return whole % (by * 10**scale), scale
        case ("times", a, by):
            whole, scale = plain_number(reading, a)
            return whole * by, scale
        case ("abs", a):
            whole, scale = plain_number(reading, a)
            return abs(whole), scale
        case ("square", a):
            whole, scale = plain_number(reading, a)
            return whole**2, 2 * scale
        case ("coarse", a):
            whole, scale = plain_number(reading, a)
            return whole // 10**scale, 0
        case ("limit", a, low, high):
            whole, scale = plain_number(reading, a)
            return max(low * 10**scale, min(high * 10**scale, whole)), scale
        case ("select", flag, a, b):
            left, right, scale = plain_level(reading, a, b)
            return left if plain_condition(reading, flag) else right, scale
    raise AssertionError(recipe)


def plain_condition(reading: Decoded, recipe: Recipe) -> bool:
    """Truth of a recipe."""
    match recipe:
        case ("lt" | "le" | "gt" | "ge" | "eq" as act, a, bound):
            whole, scale = plain_number(reading, a)
            other = bound * 10**scale
            return {
                "lt": whole < other,
                "le": whole <= other,
                "gt": whole > other,
                "ge": whole >= other,
                "eq": whole == other,
            }[act]
        case ("lt2" | "eq2" as act, a, b):
            left, right, _ = plain_level(reading, a, b)
            return left < right if act == "lt2" else left == right
        case ("is", label):
            return LABELS["state"][reading.values[5]] == label
        case ("not", a):
            return not plain_condition(reading, a)
        case ("and", a, b):
            return plain_condition(reading, a) and plain_condition(reading, b)
        case ("or", a, b):
            return plain_condition(reading, a) or plain_condition(reading, b)
        case ("xor", a, b):
            return plain_condition(reading, a) != plain_condition(reading, b)
    raise AssertionError(recipe)


def plain_level(reading: Decoded, a: Recipe, b: Recipe) -> tuple[int, int, int]:
    """Two integers with the same decimals, and the decimals."""
    (left, first), (right, second) = plain_number(reading, a), plain_number(reading, b)
    scale = max(first, second)
    return left * 10 ** (scale - first), right * 10 ** (scale - second), scale


def histogram_of(reading: Reading) -> Figure:
    """A histogram over signed decimals, by state."""
    return histogram(reading["temp"], EDGES, by=reading["state"])
