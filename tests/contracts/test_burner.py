"""What comes into the Burner is counted and never leaves."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.keys import Key
from tests.contracts import world

REASON = b"device-fee".ljust(32, b"\0")
SETTLEMENT = b"settlement".ljust(32, b"\0")


@given(
    st.lists(
        st.tuples(st.sampled_from([REASON, bytes(32), b"\xff" * 32]), st.integers(0, 10**20)),
        max_size=6,
    )
)
@settings(max_examples=20)
def test_counts_equal_what_was_sent(sent: list[tuple[bytes, int]]) -> None:
    with boa.env.anchor():
        burner = world.load("Burner")
        for reason, amount in sent:
            burner.burn(reason, value=amount)
        for reason in {reason for reason, _ in sent}:
            assert burner.burned(reason) == sum(a for r, a in sent if r == reason)
        total = sum(amount for _, amount in sent)
        assert burner.total_burned() == boa.env.get_balance(burner.address) == total


def test_a_count_that_is_set_up_is_as_one_that_is_not(burner: Any) -> None:
    burner.set_up(REASON)
    assert burner.burned(REASON) == burner.total_burned() == burner.count_forced() == 0
    burner.burn(REASON, value=7)
    burner.set_up(REASON)
    assert burner.burned(REASON) == burner.total_burned() == 7


def test_the_first_settlement_burns_as_cheaply_as_the_next(burner: Any) -> None:
    world.load("Escrow", burner.address, burner.address, 300)
    spent = list[int]()
    for reason in (SETTLEMENT, SETTLEMENT, REASON):
        burner.burn(reason, value=7)
        spent.append(burner._computation.get_gas_used())
    assert spent[0] == spent[1] < spent[2] - 17_000


def test_burning_is_an_event_with_its_sender(burner: Any) -> None:
    sender = world.account(Key.from_seed(b"payer"))
    burner.burn(REASON, value=7, sender=sender)
    (event,) = burner.get_logs()
    assert (event.sender, event.reason, event.amount) == (sender, REASON, 7)


def test_nothing_sent_is_nothing_burned_and_no_event(burner: Any) -> None:
    burner.burn(REASON)
    assert burner.get_logs() == []
    assert burner.total_burned() == 0


def test_money_without_a_call_is_refused(burner: Any) -> None:
    with pytest.raises(Revert):
        boa.env.raw_call(burner.address, value=1)
    assert boa.env.get_balance(burner.address) == 0


def test_money_that_came_by_force_is_counted_once(burner: Any) -> None:
    burner.burn(REASON, value=5)
    boa.env.set_balance(burner.address, 12)
    assert burner.count_forced() == 7
    assert burner.burned(b"forced".ljust(32, b"\0")) == 7
    assert burner.count_forced() == 0
    assert burner.total_burned() == 12


def test_no_call_takes_money_out(burner: Any) -> None:
    burner.burn(REASON, value=5)
    changing = [item for item in burner.abi if item.get("stateMutability") not in ("view", "pure")]
    assert {item["name"] for item in changing if item["type"] == "function"} == {
        "burn",
        "count_forced",
        "set_up",
    }
    burner.count_forced()
    assert boa.env.get_balance(burner.address) == 5
