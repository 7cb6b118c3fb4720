"""A history is one device's, in order, and leads to its accumulator; each altered field shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core.identity import KeyChange, Status, accumulate, extend
from opendepin.core.keys import Key
from opendepin.dims.identity import rules
from opendepin.dims.identity.errors import HistoryRejected, RegistryFault
from opendepin.dims.identity.ports import Entry
from tests.dims.identity.blocks import registered

DEVICE = Key.from_seed(b"device")
OTHER = Key.from_seed(b"other")
KEYS = tuple(Key.from_seed(b"key %d" % i) for i in range(6))
FIRST = replace(registered(DEVICE), from_block=5)


@st.composite
def histories(draw: st.DrawFn) -> tuple[KeyChange, ...]:
    """Histories as the registry writes them."""
    found = [replace(FIRST, index=draw(st.integers(0, 9)), from_block=draw(st.integers(0, 9)))]
    fresh = list(KEYS)
    for _ in range(draw(st.integers(0, 6))):
        last = found[-1]
        if last.status is Status.REVOKED:
            break
        block = last.from_block + draw(st.integers(0, 3))
        if fresh and draw(st.booleans()):
            found.append(replace(last, public=fresh.pop().public, from_block=block))
        else:
            status = draw(st.sampled_from([s for s in Status if s is not last.status]))
            found.append(replace(last, status=status, from_block=block))
    return tuple(found)


@given(histories())
def test_what_the_registry_writes_is_taken(history: tuple[KeyChange, ...]) -> None:
    rules.check_history(history, accumulate(history))


@given(histories(), st.data())
def test_any_altered_field_is_refused(history: tuple[KeyChange, ...], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(history) - 1))
    change = history[at]
    others: dict[str, Any] = {
        "device": OTHER.address,
        "status": Status(change.status % 3 + 1),
        "project": change.project + 1,
        "index": change.index + 1,
        "public": OTHER.public,
        "from_block": change.from_block + 1,
    }
    field = data.draw(st.sampled_from(sorted(others)))
    altered = (*history[:at], replace(change, **{field: others[field]}), *history[at + 1 :])
    with pytest.raises(HistoryRejected):
        rules.check_history(altered, accumulate(history))


@given(histories(), st.data())
def test_a_shorter_longer_or_reordered_history_is_refused(
    history: tuple[KeyChange, ...], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(history) - 1))
    wrong: list[Sequence[KeyChange]] = [
        (*history[:at], *history[at + 1 :]),
        (*history[: at + 1], *history[at:]),
    ]
    if at:
        wrong.append((*history[: at - 1], history[at], history[at - 1], *history[at + 1 :]))
    for found in wrong:
        with pytest.raises(HistoryRejected):
            rules.check_history(found, accumulate(history))


SUSPENDED = replace(FIRST, status=Status.SUSPENDED)
IMPOSSIBLE = {
    "a device id": (replace(FIRST, device=OTHER.address),),
    "begins with an active": (SUSPENDED,),
    "outside its range": (replace(FIRST, index=1 << 20),),
    "outside its": (replace(FIRST, project=0),),
    "never change": (FIRST, replace(SUSPENDED, project=2)),
    "never chang": (FIRST, replace(SUSPENDED, index=1)),
    "never": (FIRST, replace(SUSPENDED, device=OTHER.address)),
    "nothing follows": (FIRST, replace(FIRST, status=Status.REVOKED), FIRST),
    "blocks never go back": (FIRST, replace(SUSPENDED, from_block=4)),
    "either the key or": (FIRST, FIRST),
    "either the key": (FIRST, replace(SUSPENDED, public=OTHER.public)),
}


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_what_no_registry_writes_is_refused_though_its_accumulator_fits(text: str) -> None:
    history = IMPOSSIBLE[text]
    with pytest.raises(HistoryRejected, match=text):
        rules.check_history(history, accumulate(history))


@pytest.mark.parametrize(
    "changed",
    [
        {"public": FIRST.public + b"\0"},
        {"device": b"\1" * 21},
        {"project": 1 << 64},
        {"index": -1},
        {"from_block": 1 << 64},
        {"from_block": -1},
    ],
)
def test_what_is_of_no_form_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(HistoryRejected, match=r"20 bytes|outside its range"):
        rules.check_history((replace(FIRST, **changed),), accumulate((FIRST,)))


def test_an_unknown_device_has_the_empty_history() -> None:
    rules.check_history((), bytes(32))
    with pytest.raises(HistoryRejected):
        rules.check_history((FIRST,), bytes(32))


def entries_of(history: Sequence[KeyChange], accumulator: bytes = bytes(32)) -> list[Entry]:
    found: list[Entry] = []
    for change in history:
        accumulator = extend(accumulator, change)
        found.append(Entry(change, accumulator))
    return found


@given(histories(), st.integers(0, 7))
def test_entries_extend_in_any_two_parts(history: tuple[KeyChange, ...], cut: int) -> None:
    entries = entries_of(history)
    first = rules.extended(entries[:cut], {})
    assert {**first, **rules.extended(entries[cut:], first)} == {
        DEVICE.address: accumulate(history)
    }


def test_entries_of_two_devices_may_be_mixed() -> None:
    other = replace(registered(OTHER), from_block=5)
    mixed = [
        *entries_of([FIRST]),
        *entries_of([other]),
        *entries_of([SUSPENDED], accumulate([FIRST])),
    ]
    found = rules.extended(mixed, {})
    assert found == {
        DEVICE.address: accumulate([FIRST, SUSPENDED]),
        OTHER.address: accumulate([other]),
    }


@given(histories(), st.data())
def test_a_missing_doubled_or_altered_entry_is_the_nodes_fault(
    history: tuple[KeyChange, ...], data: st.DataObject
) -> None:
    entries = entries_of((*history, *history))
    at = data.draw(st.integers(0, len(entries) - 2))
    altered = replace(entries[at], accumulator=bytes(32))
    for wrong in (
        [*entries[:at], *entries[at + 1 :]],
        [*entries[: at + 1], *entries[at:]],
        [*entries[:at], altered, *entries[at + 1 :]],
    ):
        with pytest.raises(RegistryFault):
            rules.extended(wrong, {})


@pytest.mark.parametrize(
    ("final", "newest", "expected"),
    [
        (None, FIRST, None),
        (FIRST, FIRST, None),
        (FIRST, SUSPENDED, SUSPENDED),
        (FIRST, replace(FIRST, public=OTHER.public), SUSPENDED),
        (SUSPENDED, FIRST, None),
        (SUSPENDED, replace(SUSPENDED, public=OTHER.public), None),
        (FIRST, replace(SUSPENDED, public=OTHER.public), replace(SUSPENDED, public=OTHER.public)),
    ],
)
def test_caution_only_takes_trust_away(
    final: KeyChange | None, newest: KeyChange, expected: KeyChange | None
) -> None:
    assert rules.cautious(final, newest) == expected
