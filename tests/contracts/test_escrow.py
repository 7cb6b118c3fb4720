"""The escrow alone: who may move what, and that each wei is in one place."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts import settling as s
from tests.contracts import world

TASK = b"\x31" * 32
OPERATOR = s.OPERATORS[0]
PROTOCOL_BPS = 300
BURN_REASON = b"settlement".ljust(32, b"\0")


@pytest.fixture
def settlement() -> Any:
    """An account that stands for settlement: it must have code."""
    return world.load("mocks/Wallet")


@pytest.fixture
def escrow(projects: Any, burner: Any, settlement: Any) -> Any:
    """An escrow with 1,000,000 wei of project 1."""
    made = world.load("Escrow", projects.address, burner.address, PROTOCOL_BPS)
    made.bind(settlement.address)
    made.deposit(1, value=1_000_000)
    return made


def owner() -> Any:
    return world.account(world.PROJECT_OWNER)


def test_binds_settlement_once_and_only_by_its_deployer(
    projects: Any, burner: Any, settlement: Any
) -> None:
    made = world.load("Escrow", projects.address, burner.address, PROTOCOL_BPS)
    with boa.reverts("deployer"):
        made.bind(settlement.address, sender=world.account(s.STRANGER))
    with boa.reverts("settlement"):
        made.bind(world.account(s.STRANGER))
    made.bind(settlement.address)
    (event,) = made.get_logs()
    assert event.settlement == settlement.address == made.settlement()
    with boa.reverts("bound"):
        made.bind(settlement.address)


@pytest.mark.parametrize("bps", [5_001, 10_001])
def test_w17_refuses_a_share_above_half(projects: Any, burner: Any, bps: int) -> None:
    with boa.reverts("bps"):
        world.load("Escrow", projects.address, burner.address, bps)


def test_takes_a_share_of_half(projects: Any, burner: Any) -> None:
    assert world.load("Escrow", projects.address, burner.address, 5_000).protocol_bps() == 5_000


def test_anyone_deposits_for_a_project_that_exists(escrow: Any) -> None:
    escrow.deposit(1, value=5, sender=world.account(s.STRANGER))
    (event,) = escrow.get_logs()
    assert (event.project, event.sender, event.amount) == (
        1,
        world.address_text(s.STRANGER.address),
        5,
    )
    assert escrow.balance_of(1) == 1_000_005
    with boa.reverts("token"):
        escrow.deposit(2, value=5)
    with boa.reverts("value"):
        escrow.deposit(1)


def test_takes_no_money_that_nobody_owns(escrow: Any) -> None:
    with pytest.raises(Revert):
        boa.env.raw_call(escrow.address, value=1)


def test_the_owner_withdraws_what_is_free(escrow: Any, settlement: Any) -> None:
    escrow.reserve(TASK, 1, 100_000, sender=settlement.address)
    assert (escrow.balance_of(1), escrow.reserved(TASK)) == (897_000, 103_000)
    before = boa.env.get_balance(owner())
    with boa.reverts("balance"):
        escrow.withdraw(1, 897_001, sender=owner())
    with boa.reverts("balance"):
        escrow.withdraw(1, 0, sender=owner())
    with boa.reverts("owner"):
        escrow.withdraw(1, 1, sender=world.account(s.STRANGER))
    before = boa.env.get_balance(owner())
    escrow.withdraw(1, 897_000, sender=owner())
    assert boa.env.get_balance(world.address_text(world.PROJECT_OWNER.address)) == before + 897_000
    assert (escrow.balance_of(1), escrow.reserved(TASK)) == (0, 103_000)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("reserve", (b"\x32" * 32, 1, 1)),
        ("pay", (TASK, "operator", 1, 1, False)),
        ("pay_due", ([],)),
        ("pay_device_many", ([TASK], [1], "operator")),
        ("release", (TASK,)),
        ("pay_device", (TASK, "operator", 1)),
    ],
)
def test_only_settlement_moves_a_tasks_money(
    escrow: Any, settlement: Any, call: str, arguments: tuple[Any, ...]
) -> None:
    escrow.reserve(TASK, 1, 100_000, sender=settlement.address)
    values = [world.account(OPERATOR) if value == "operator" else value for value in arguments]
    for sender in (owner(), world.account(OPERATOR), boa.env.eoa):
        with boa.reverts("settlement"):
            getattr(escrow, call)(*values, sender=sender)


def test_reserves_no_more_than_the_balance_and_once(escrow: Any, settlement: Any) -> None:
    with boa.reverts("funds"):
        escrow.reserve(TASK, 1, 970_875, sender=settlement.address)
    escrow.reserve(TASK, 1, 970_874, sender=settlement.address)
    assert escrow.cost(970_874) == 1_000_000 == escrow.reserved(TASK)
    with boa.reverts("account"):
        escrow.reserve(TASK, 1, 0, sender=settlement.address)


def test_w4_a_released_reserve_is_gone(escrow: Any, settlement: Any) -> None:
    escrow.reserve(TASK, 1, 100_000, sender=settlement.address)
    escrow.reserve(b"\x32" * 32, 1, 200_000, sender=settlement.address)
    escrow.release(TASK, sender=settlement.address)
    assert (escrow.reserved(TASK), escrow.balance_of(1)) == (0, 794_000)
    for again in ("release", "pay"):
        arguments = () if again == "release" else (world.account(OPERATOR), 1, 0, False)
        with boa.reverts("account"):
            getattr(escrow, again)(TASK, *arguments, sender=settlement.address)
    assert escrow.reserved(b"\x32" * 32) == 206_000


def test_a_held_account_is_neither_paid_nor_released_again(escrow: Any, settlement: Any) -> None:
    escrow.reserve(TASK, 1, 100_000, sender=settlement.address)
    escrow.pay(TASK, world.account(OPERATOR), 1_000, 50_000, False, sender=settlement.address)
    assert (escrow.reserved(TASK), escrow.held(TASK)) == (0, 50_000)
    with boa.reverts("account"):
        escrow.release(TASK, sender=settlement.address)
    with boa.reverts("account"):
        escrow.pay(TASK, world.account(OPERATOR), 1_000, 0, False, sender=settlement.address)
    with boa.reverts("account"):
        escrow.reserve(TASK, 1, 1, sender=settlement.address)


def test_pays_no_more_than_the_reserve(escrow: Any, settlement: Any) -> None:
    escrow.reserve(TASK, 1, 100_000, sender=settlement.address)
    with pytest.raises(boa.BoaError):
        escrow.pay(TASK, world.account(OPERATOR), 50_001, 50_000, False, sender=settlement.address)
    escrow.pay(TASK, world.account(OPERATOR), 50_000, 50_000, False, sender=settlement.address)


def test_pays_devices_out_of_their_own_task(escrow: Any, settlement: Any) -> None:
    to = world.account(s.DEVICE_OWNER, 0)
    escrow.reserve(TASK, 1, 1_000, sender=settlement.address)
    with boa.reverts("account"):
        escrow.pay_device(TASK, to, 1, sender=settlement.address)
    escrow.pay(TASK, world.account(OPERATOR), 0, 1_000, False, sender=settlement.address)
    with boa.reverts("held"):
        escrow.pay_device(TASK, to, 1_001, sender=settlement.address)
    with boa.reverts("held"):
        escrow.pay_device(TASK, to, 0, sender=settlement.address)
    escrow.pay_device(TASK, to, 400, sender=settlement.address)
    assert escrow.held(TASK) == 600
    escrow.pay_device(TASK, to, 600, sender=settlement.address)
    assert (escrow.held(TASK), boa.env.get_balance(to)) == (0, 1_000)
    with boa.reverts("account"):
        escrow.pay_device(TASK, to, 1, sender=settlement.address)


def test_an_operator_that_refuses_money_is_not_paid_and_nothing_moved(
    escrow: Any, settlement: Any
) -> None:
    wallet = world.load("mocks/Wallet")
    wallet.behave(True, escrow.address, b"")
    escrow.reserve(TASK, 1, 1_000, sender=settlement.address)
    with pytest.raises(boa.BoaError):
        escrow.pay(TASK, wallet.address, 1_000, 0, False, sender=settlement.address)
    assert escrow.reserved(TASK) == 1_030


def test_a_payee_cannot_withdraw_on_the_way(escrow: Any, settlement: Any, projects: Any) -> None:
    wallet = world.load("mocks/Wallet")
    projects.transferFrom(owner(), wallet.address, 1, sender=owner())
    wallet.behave(False, escrow.address, escrow.withdraw.prepare_calldata(1, 10))
    escrow.reserve(TASK, 1, 1_000, sender=settlement.address)
    escrow.pay(TASK, wallet.address, 500, 500, False, sender=settlement.address)
    assert not wallet.inner_ok()
    assert boa.env.get_balance(wallet.address) == 500
    wallet.call(escrow.address, escrow.withdraw.prepare_calldata(1, 10), 0)
    assert boa.env.get_balance(wallet.address) == 510


@given(
    work=st.integers(1, 900_000),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_paid_held_burned_and_refunded_are_what_was_reserved(
    work: int, data: st.DataObject
) -> None:
    fee = data.draw(st.integers(0, work))
    held = data.draw(st.integers(0, work - fee))
    with boa.env.anchor():
        burner = world.load("Burner")
        escrow = world.load(
            "Escrow", world.deploy_projects(burner).address, burner.address, PROTOCOL_BPS
        )
        sender = world.load("mocks/Wallet").address
        escrow.bind(sender)
        escrow.deposit(1, value=1_000_000)
        escrow.reserve(TASK, 1, work, sender=sender)
        operator = world.account(OPERATOR, 0)
        burned, refunded = escrow.pay(TASK, operator, fee, held, False, sender=sender)
        assert burned == (fee + held) * PROTOCOL_BPS // 10_000
        assert fee + held + burned + refunded == work + work * PROTOCOL_BPS // 10_000
        assert boa.env.get_balance(operator) == fee
        assert burner.burned(BURN_REASON) == burned
        assert escrow.held(TASK) == held
        assert escrow.balance_of(1) == 1_000_000 - fee - held - burned
        assert boa.env.get_balance(escrow.address) == escrow.balance_of(1) + held
