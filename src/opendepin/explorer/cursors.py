"""What a visitor may ask a list for: a limit, and a cursor that says after which row to go on.

A cursor is opaque text; it is the last row's key with the list's name, so that one list's
cursor is refused by another. Identifiers are lower-case 0x-hex of exact length.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from opendepin.core.encodings import from_hex
from opendepin.core.errors import EncodingRejected
from opendepin.explorer.config import CURSOR_MAX_CHARS, PAGE_DEFAULT, PAGE_MAX
from opendepin.explorer.errors import RequestRejected
from opendepin.explorer.store import Page

KEY_MAX = (1 << 62) - 1


def page_of(name: str, parts: int, cursor: str | None, limit: str | None) -> Page:
    """Read a list's `cursor` and `limit`.

    Raises:
        RequestRejected: code `cursor` or `limit`.
    """
    size = PAGE_DEFAULT
    if limit is not None:
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 4):
            raise RequestRejected(f"limit is a number in 1..{PAGE_MAX}", code="limit")
        size = int(limit)
        if not 1 <= size <= PAGE_MAX:
            raise RequestRejected(f"limit is a number in 1..{PAGE_MAX}", code="limit")
    return Page(size, None if cursor is None else _read(name, parts, cursor))


def cursor_after(name: str, key: tuple[int, ...]) -> str:
    """Write the cursor that goes on after the row with this key."""
    text = ".".join([name, *map(str, key)])
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(name: str, parts: int, cursor: str) -> tuple[int, ...]:
    wrong = RequestRejected("this cursor is not one that this list gave", code="cursor")
    if not 0 < len(cursor) <= CURSOR_MAX_CHARS or not cursor.isascii():
        raise wrong
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (Base64Error, ValueError) as error:
        raise wrong from error
    found, *numbers = text.split(".")
    good = all(n.isascii() and n.isdigit() and len(n) <= 19 for n in numbers)
    if found != name or len(numbers) != parts or not good:
        raise wrong
    key = tuple(int(n) for n in numbers)
    if any(n > KEY_MAX for n in key):
        raise wrong
    return key


def identifier(text: str, size: int, what: str) -> bytes:
    """Read an identifier of `size` bytes.

    Raises:
        RequestRejected: code `identifier`.
    """
    try:
        return from_hex(text, size)
    except EncodingRejected as error:
        hint = f"a {what} is 0x and {2 * size} lower-case hex digits"
        raise RequestRejected(hint, code="identifier") from error


def number(text: str, what: str) -> int:
    """Read a small non-negative number out of a path.

    Raises:
        RequestRejected: code `identifier`.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise RequestRejected(f"a {what} is a number", code="identifier")
    return int(text)
