"""Units of money. Amounts are integers of wei; WAD is the fixed point of rates (10**18 = 1)."""

from __future__ import annotations

import re

TOKEN = "ODP"
"""Symbol of the network's native token."""

WEI_PER_TOKEN = 10**18
WAD = 10**18
_AMOUNT = re.compile(r"([0-9]{1,30})(?:\.([0-9]{1,18}))?")
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
        ValueError: not a plain decimal number, negative, or finer than one wei.
    """
    found = _AMOUNT.fullmatch(str(amount))
    if found is None:
        raise ValueError(f"{amount!r} is not an amount of tokens such as 12 or 0.5")
    whole, fraction = found.groups(default="")
    return int(whole) * WEI_PER_TOKEN + int(fraction.ljust(18, "0"))
