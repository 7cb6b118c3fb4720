"""Constants of a rule: whole numbers and exact decimals, never floats."""

from __future__ import annotations

from decimal import Decimal

from opendepin.rules.traps import refuse

MAX_SCALE = 18
"""Most decimal places of a value."""

Constant = int | Decimal


def is_constant(value: object) -> bool:
    """Say whether a value can be a constant of a rule, or was surely meant as one."""
    return isinstance(value, int | float | str | Decimal)


def places_of(value: object) -> int:
    """Return how many decimal places a constant has."""
    exponent = Decimal(_exact(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def scaled(value: object, scale: int, name: str = "the value") -> int:
    """Return constant · 10**scale.

    Raises:
        RuleRejected: a float, a text, or more decimal places than the scale has.
    """
    number = Decimal(_exact(value)).scaleb(scale)
    whole = int(number)
    if whole != number:
        refuse(
            f"{value} has {places_of(value)} decimal places, {name} has {scale}",
            f"a constant with {scale} places at most, or value.at_scale({places_of(value)})",
        )
    return whole


def _exact(value: object) -> Constant:
    if isinstance(value, bool):
        refuse("True and False are no numbers here", "1 and 0")
    if isinstance(value, float):
        refuse(
            f"{value!r} is a float, which is not exact",
            f'Decimal("{value!r}"), from decimal or opendepin.rules',
        )
    if isinstance(value, str):
        refuse(
            "a proof carries no strings, and a text is no number",
            f'Decimal("{value}") for a number; an enum field or a Table for labels',
        )
    if isinstance(value, Decimal):
        if not value.is_finite():
            refuse(f"{value} is no finite number", "a decimal constant")
        return value
    if not isinstance(value, int):
        refuse(f"{type(value).__name__} is no number", "a whole number or a Decimal")
    return value
