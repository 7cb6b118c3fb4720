"""Bonds are equal, membership has versions, and nobody can hold an exit up."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from opendepin.core.keys import Key
from opendepin.core.limits import MAX_OPERATORS
from tests.contracts import world

KEYS = tuple(Key.from_seed(b"operator %d" % i) for i in range(4))
ONE, TWO, THREE = KEYS[:3]


def join(operators: Any, key: Key, value: int = world.BOND) -> Any:
    sender = world.account(key)
    operators.join(value=value, sender=sender)
    return sender


def members(operators: Any, version: int) -> list[Any]:
    return [operators.member(version, i) for i in range(operators.member_count(version))]


def test_joins_with_exactly_the_bond(operators: Any) -> None:
    for wrong in (world.BOND - 1, world.BOND + 1, 0):
        with boa.reverts("bond"):
            join(operators, ONE, wrong)
    operator = join(operators, ONE)
    (event,) = operators.get_logs()
    assert (event.operator, event.version) == (operator, 1)
    assert operators.is_member(operator)
    assert operators.bonds_held() == world.BOND == boa.env.get_balance(operators.address)
    with boa.reverts("member"):
        join(operators, ONE)


def test_every_version_keeps_its_list(operators: Any) -> None:
    one, two, three = (join(operators, key) for key in (ONE, TWO, THREE))
    operators.leave(sender=two)
    (event,) = operators.get_logs()
    assert (event.operator, event.version) == (two, 4)
    assert event.withdrawable_at == boa.env.timestamp + world.EXIT_DELAY
    assert operators.version() == 4
    lists = [members(operators, version) for version in range(6)]
    assert lists == [[], [one], [one, two], [one, two, three], [one, three], []]
    with boa.reverts("member"):
        operators.member(4, 2)


def test_a_bond_comes_back_after_the_delay_and_once(operators: Any) -> None:
    operator = join(operators, ONE)
    with boa.reverts("leave first"):
        operators.withdraw(sender=operator)
    operators.leave(sender=operator)
    boa.env.time_travel(seconds=world.EXIT_DELAY - 1)
    with boa.reverts("exit delay"):
        operators.withdraw(sender=operator)
    boa.env.time_travel(seconds=1)
    before = boa.env.get_balance(operator)
    operators.withdraw(sender=operator)
    (event,) = operators.get_logs()
    assert (event.operator, event.to, event.amount) == (operator, operator, world.BOND)
    assert boa.env.get_balance(operator) == before + world.BOND
    assert operators.bonds_held() == 0
    with boa.reverts("leave first"):
        operators.withdraw(sender=operator)


def test_who_is_no_member_cannot_leave(operators: Any) -> None:
    stranger = world.account(ONE)
    with boa.reverts("member"):
        operators.leave(sender=stranger)
    join(operators, ONE)
    operators.leave(sender=stranger)
    with boa.reverts("member"):
        operators.leave(sender=stranger)


def test_who_left_withdraws_before_joining_again(operators: Any) -> None:
    operator = join(operators, ONE)
    operators.leave(sender=operator)
    with boa.reverts("withdraw first"):
        join(operators, ONE)
    boa.env.time_travel(seconds=world.EXIT_DELAY)
    operators.withdraw(sender=operator)
    join(operators, ONE)
    assert members(operators, operators.version()) == [operator]


def test_the_set_is_bounded_and_a_place_becomes_free(operators: Any) -> None:
    senders = [join(operators, Key.from_seed(b"many %d" % i)) for i in range(MAX_OPERATORS)]
    with boa.reverts("full"):
        join(operators, ONE)
    operators.leave(sender=senders[10])
    newcomer = join(operators, ONE)
    assert members(operators, operators.version()) == [*senders[:10], *senders[11:], newcomer]


def test_an_operator_that_refuses_money_names_another_receiver(operators: Any) -> None:
    vault = world.load("mocks/Vault")
    vault.execute(operators.address, operators.join.prepare_calldata(), value=world.BOND)
    vault.execute(operators.address, operators.leave.prepare_calldata())
    boa.env.time_travel(seconds=world.EXIT_DELAY)
    with boa.reverts():
        vault.execute(operators.address, operators.withdraw.prepare_calldata())
    to = world.account(ONE, 0)
    vault.execute(operators.address, operators.withdraw.prepare_calldata(to))
    assert boa.env.get_balance(to) == world.BOND


@pytest.mark.parametrize("to", [world.address_text(bytes(20)), None])
def test_a_bond_is_not_lost_to_nobody(operators: Any, to: Any) -> None:
    operator = join(operators, ONE)
    operators.leave(sender=operator)
    boa.env.time_travel(seconds=world.EXIT_DELAY)
    with boa.reverts("receiver"):
        operators.withdraw(to or operators.address, sender=operator)


def test_coming_in_again_takes_no_second_bond(operators: Any) -> None:
    join(operators, TWO)
    vault = world.load("mocks/Vault")
    vault.allow(True, True)
    vault.execute(operators.address, operators.join.prepare_calldata(), value=world.BOND)
    vault.execute(operators.address, operators.leave.prepare_calldata())
    boa.env.time_travel(seconds=world.EXIT_DELAY)
    vault.reenter(operators.address, operators.withdraw.prepare_calldata())
    with boa.reverts():
        vault.execute(operators.address, operators.withdraw.prepare_calldata())
    assert boa.env.get_balance(operators.address) == 2 * world.BOND


@pytest.mark.parametrize(
    ("bond", "delay", "reason"),
    [(0, 1, "bond"), (1, 0, "exit delay"), (1, 31_536_001, "exit delay")],
)
def test_a_wrong_start_is_refused(bond: int, delay: int, reason: str) -> None:
    with boa.reverts(reason):
        world.load("Operators", bond, delay)


@pytest.mark.parametrize(("bond", "delay"), [(1, 1), (1, 31_536_000)])
def test_the_edges_of_a_start_are_taken(bond: int, delay: int) -> None:
    operators = world.load("Operators", bond, delay)
    assert (operators.bond(), operators.exit_delay()) == (bond, delay)


class OperatorsMachine(RuleBasedStateMachine):
    """Any joins, exits and withdrawals: bonds add up to the balance, versions never change."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.operators = world.load("Operators", world.BOND, world.EXIT_DELAY)
        self.senders = [world.account(key) for key in KEYS]
        self.start = boa.env.timestamp
        self.versions: list[list[Any]] = [[]]
        self.leaving: dict[Any, int] = {}

    def teardown(self) -> None:
        self.anchor.__exit__(None, None, None)

    @rule(at=st.integers(0, 3))
    def join(self, at: int) -> None:
        sender, now = self.senders[at], self.versions[-1]
        if sender in now or sender in self.leaving:
            with boa.reverts("member" if sender in now else "withdraw first"):
                self.operators.join(value=world.BOND, sender=sender)
            return
        self.operators.join(value=world.BOND, sender=sender)
        self.versions.append([*now, sender])

    @rule(at=st.integers(0, 3))
    def leave(self, at: int) -> None:
        sender, now = self.senders[at], self.versions[-1]
        if sender not in now:
            with boa.reverts("member"):
                self.operators.leave(sender=sender)
            return
        self.operators.leave(sender=sender)
        self.versions.append([member for member in now if member != sender])
        self.leaving[sender] = boa.env.timestamp + world.EXIT_DELAY

    @rule(at=st.integers(0, 3))
    def withdraw(self, at: int) -> None:
        sender = self.senders[at]
        if boa.env.timestamp < self.leaving.get(sender, 2**64):
            with boa.reverts("exit delay" if sender in self.leaving else "leave first"):
                self.operators.withdraw(sender=sender)
            return
        self.operators.withdraw(sender=sender)
        del self.leaving[sender]

    @rule(seconds=st.sampled_from([1, world.EXIT_DELAY - 1, world.EXIT_DELAY]))
    def wait(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    @invariant()
    def bonds_are_the_balance(self) -> None:
        held = world.BOND * (len(self.versions[-1]) + len(self.leaving))
        assert self.operators.bonds_held() == held == boa.env.get_balance(self.operators.address)
        outside = sum(boa.env.get_balance(sender) for sender in self.senders)
        assert outside == len(KEYS) * world.RICH - held

    @invariant()
    def versions_stand(self) -> None:
        assert self.operators.version() == len(self.versions) - 1
        for version, expected in enumerate(self.versions):
            assert members(self.operators, version) == expected
        for sender in self.senders:
            assert self.operators.is_member(sender) == (sender in self.versions[-1])


TestOperators = OperatorsMachine.TestCase
TestOperators.settings = settings(max_examples=10, stateful_step_count=20)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_operators_for_long() -> None:
    run_state_machine_as_test(
        OperatorsMachine, settings=settings(max_examples=300, stateful_step_count=50)
    )
