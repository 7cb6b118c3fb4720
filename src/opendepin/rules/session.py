"""One run of a rule: the machine it runs on, whether the reading is there, the layout it came in.

Interval arithmetic is what keeps the promises: every value carries a least and a largest number
that hold inside a proof, padding included, so the gadgets' preconditions follow without checks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.machine import Handle, Machine
from opendepin.rules.errors import RangeBroken
from opendepin.rules.traps import refuse

MAX_BITS = 120
"""Widest value, in bits between its least and its largest."""


class Session:
    """What all values of one reading share."""

    __slots__ = ("_made", "machine", "present")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.present: Any = None
        """The flag that a reading stands here; set by the reading that the session is for."""
        self._made: dict[object, tuple[object, Any]] = {}

    def once(self, kind: str, parts: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """Make a thing once for these very objects, so that the same words cost rows once."""
        key = (kind, *(id(part) for part in parts))
        if key not in self._made:
            self._made[key] = parts, make()
        return self._made[key][1]


def checked(handle: Handle, low: int, high: int) -> Handle:
    """Return a handle; on integers, hold it to the range derived for it."""
    if isinstance(handle, int):
        signed = handle % FIELD_MODULUS
        signed = signed - FIELD_MODULUS if signed > FIELD_MODULUS // 2 else signed
        if not low <= signed <= high:
            raise RangeBroken(f"{signed} left its range {low}..{high}")
    return handle


_CURRENT: ContextVar[Session] = ContextVar("opendepin rule")


@contextmanager
def running(session: Session) -> Generator[Session]:
    """Make a session the one that a rule's figures belong to."""
    token = _CURRENT.set(session)
    try:
        yield session
    finally:
        _CURRENT.reset(token)


def current() -> Session:
    """Return the session of the rule that is being run.

    Raises:
        RuleRejected: none is.
    """
    session = _CURRENT.get(None)
    if session is None:
        refuse("figures are made inside compute(reading) alone", "call it there")
    return session


def is_running() -> bool:
    """Say whether a rule is being run."""
    return _CURRENT.get(None) is not None
