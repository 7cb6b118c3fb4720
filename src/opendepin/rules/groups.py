"""Groups: which readings a figure is made of, and apart by what.

A group's bit is 1 for a reading that belongs to it; bits of one `Groups` exclude each other, and
all of them are 0 where no reading stands. A filter before grouping costs one row, on a figure of
grouped readings one row a group.
"""

# Projects call this without a type checker: what they give is looked at here.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.proofs.zk.machine import Handle
from opendepin.rules.choices import MAX_PLACES, Choice
from opendepin.rules.numbers import Flag, Number
from opendepin.rules.packs import Pack
from opendepin.rules.session import Session, current
from opendepin.rules.traps import Value, refuse


@dataclass(frozen=True, eq=False)
class Groups:
    """Labels and, of each, the bit that says whether the reading belongs to it."""

    session: Session
    labels: tuple[str, ...]
    bits: tuple[Handle, ...]
    devices: bool = False
    """Whether group i is the device with index i."""

    def __len__(self) -> int:
        return len(self.labels)


def group_by(*keys: Choice, where: Flag | None = None) -> Groups:
    """Sort readings by one choice, or by several at once: then each pair of labels is a group.

    A row a place for each choice, and for several a row a group more; `where` costs one row.
    """
    if not keys:
        refuse("group_by() takes a choice", "group_by(reading.devices(70))")
    for key in keys:
        if not isinstance(key, Choice):
            refuse(_no_choice(key), _choices(key))
    gate = _gate(current(), where)
    labels, bits = [*keys[0].labels], keys[0].merged(gate)
    for key in keys[1:]:
        _limit(len(labels) * len(key.labels))
        product, beside = gate.session.machine.product, key.merged(gate.session.present)
        labels = [f"{left}.{right}" for left in labels for right in key.labels]
        bits = [product(left, right) for left in bits for right in beside]
    _limit(len(labels))
    devices = len(keys) == 1 and keys[0].devices
    return Groups(gate.session, tuple(labels), tuple(bits), devices)


def chosen_readings(by: Groups | Choice | None, where: object) -> tuple[Groups, list[Flag] | None]:
    """Return the groups of a figure, and a condition for each value of a pack if `where` is a
    pack.
    """
    session = current()
    flags = where.items if isinstance(where, Pack) else None
    if flags is not None and not all(isinstance(flag, Flag) for flag in flags):
        refuse("where= takes conditions", "where=pack > 3")
    if flags is None and where is not None and not isinstance(where, Flag):
        refuse(
            f"where= takes a condition, not {type(where).__name__.lower()}",
            "a comparison, as where=reading['field'] > 3",
        )
    single = where if isinstance(where, Flag) else None
    groups = session.once("by", (by, single), lambda: _groups(session, by, single))
    return groups, None if flags is None else [*flags]


def _groups(session: Session, by: object, where: Flag | None) -> Groups:
    if isinstance(by, Choice):
        return group_by(by, where=where)
    if isinstance(by, Groups):
        if where is None:
            return by
        gated = [session.machine.product(bit, where.handle) for bit in by.bits]
        return Groups(session, by.labels, tuple(gated), by.devices)
    if by is not None:
        refuse(_no_choice(by), _choices(by))
    return Groups(session, ("",), (_gate(session, where).handle,))


def _gate(session: Session, where: Flag | None) -> Flag:
    if where is None:
        return session.present
    if not isinstance(where, Flag):
        refuse(
            f"where= takes a condition, not {type(where).__name__.lower()}",
            "a comparison, as where=reading['field'] > 3",
        )
    return session.once("gate", (where,), lambda: session.present & where)


def _limit(groups: int) -> None:
    if groups > MAX_PLACES:
        refuse(
            f"that makes {groups} groups, at most {MAX_PLACES} are possible",
            "a coarser table or wider windows, or two figures, each by one of the keys",
        )


def _no_choice(key: object) -> str:
    if isinstance(key, Number):
        return f"a number of {key.bits} bits may be any of {1 << key.bits} values: too many groups"
    return f"readings are grouped by a choice, not by {type(key).__name__.lower()}"


def _choices(key: object) -> str:
    if isinstance(key, Value | Sequence) or key is not None:
        return (
            "reading.devices(70), an enum field, Table(...).choice(index), "
            "windows(...), hour_of_day(...) or bins(...)"
        )
    return "group_by(reading.devices(70))"
