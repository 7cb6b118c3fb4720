"""Units of money and time. Amounts are integers of wei; WAD is the fixed point of rates (10**18 = 1)."""

from __future__ import annotations

from decimal import Decimal

TOKEN = "ODP"
"""Symbol of the network's native token."""

WEI_PER_TOKEN = 10**18
WAD = 10**18
BPS = 10_000
"""Basis points in one whole."""


def tokens(amount_wei: int) -> str:
    """Write an amount of wei in tokens, exact, without trailing zeros."""
    sign, rest = ("-", -amount_wei) if amount_wei < 0 else ("", amount_wei)
    whole, fraction = divmod(rest, WEI_PER_TOKEN)
    return f"{sign}{whole}.{fraction:018d}".rstrip("0").rstrip(".")


def wei(amount: str | int) -> int:
    """Read an amount of tokens, at most 18 decimals, as wei.

    Raises:
        ValueError: not a decimal number, negative, or finer than one wei.
    """
    exact = Decimal(amount).scaleb(18)
    if exact != exact.to_integral_value() or exact < 0:
        raise ValueError(f"{amount} is not a whole, non-negative number of wei")
    return int(exact)
