"""Settling: the statement of the ground from the contract's own storage, exact money, paid once."""

from __future__ import annotations

import dataclasses
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opendepin.core.encodings import abi_encode
from opendepin.core.statement import FIELD_MODULUS, Statement, encoded_outputs, outputs_hash
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Settling

OUTPUTS = (9, 8, 1, 2, 3)
UNITS = OUTPUTS[2:]
RIGHT = encoded_outputs(OUTPUTS)
ZERO = world.address_text(bytes(20))
BURN_REASON = b"settlement".ljust(32, b"\0")


def send(settling: Settling, opened: s.Opened, outputs: Any, proof: bytes) -> None:
    settling.settlement.settle(
        opened.id, encoded_outputs(outputs), proof, sender=world.account(s.STRANGER)
    )


def test_w19_anyone_settles_operator_devices_and_burn_are_paid_exactly(settling: Settling) -> None:
    opened, producer = settling.assigned()
    reserve = settling.escrow.reserved(opened.id)
    before = boa.env.get_balance(world.address_text(producer))
    settling.settle(opened, OUTPUTS, producer)
    (event,) = settling.events(settling.settlement, "TaskSettled")
    held = sum(UNITS) * s.UNIT_RATE
    burned = (s.OPERATOR_FEE + held) * s.PROTOCOL_BPS // 10_000
    assert (event.task, event.project) == (opened.id, 1)
    assert event.producer.canonical_address == producer
    assert event.outputs_hash == outputs_hash(OUTPUTS)
    assert event.pay_root == s.pay_root(opened.id, UNITS)
    assert (event.operator_paid, event.devices_held) == (s.OPERATOR_FEE, held)
    assert (event.burned, event.refunded) == (burned, reserve - s.OPERATOR_FEE - held - burned)
    result = settling.settlement.result(opened.id)
    assert (result.outputs_hash, result.pay_root) == (event.outputs_hash, event.pay_root)
    assert result.producer.canonical_address == producer
    assert result.settled_block == boa.env.evm.patch.block_number
    assert result.callback_ok
    assert settling.settlement.task(opened.id).state == s.SETTLED
    assert boa.env.get_balance(world.address_text(producer)) == before + s.OPERATOR_FEE
    assert settling.burner.burned(BURN_REASON) == burned
    assert settling.escrow.held(opened.id) == held
    assert settling.money() == settling.escrow.balance_of(1) + held
    assert settling.money() + s.OPERATOR_FEE + burned == s.DEPOSIT


def test_two_settles_pay_once(settling: Settling) -> None:
    opened, producer = settling.settled()
    money = settling.money()
    with boa.reverts("state"):
        settling.settle(opened, OUTPUTS, producer)
    with boa.reverts("state"):
        settling.settle(opened, (9, 8, 0, 0, 0), producer)
    assert settling.money() == money


def test_only_assigned_tasks_settle(settling: Settling) -> None:
    opened = settling.open()
    with boa.reverts("state"):
        settling.settle(opened, OUTPUTS, s.OPERATORS[0].address)
    with boa.reverts("state"):
        send(settling, dataclasses.replace(opened, id=b"\x01" * 32), OUTPUTS, b"")


FIELDS = [field.name for field in dataclasses.fields(Statement)]


@pytest.mark.parametrize("field", FIELDS)
def test_w13_every_field_of_the_statement_is_bound(settling: Settling, field: str) -> None:
    opened, producer = settling.assigned()
    right = settling.statement(opened, OUTPUTS, producer)
    value = getattr(right, field)
    other = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    wrong = dataclasses.replace(right, **{field: other}).number()
    with boa.reverts("proof"):
        send(settling, opened, OUTPUTS, abi_encode(["uint256", "uint256"], [wrong, 77]))
    send(settling, opened, OUTPUTS, abi_encode(["uint256", "uint256"], [right.number(), 77]))


def test_w13_the_verifier_is_given_the_stored_field_root(settling: Settling) -> None:
    opened, producer = settling.assigned()
    number = settling.statement(opened, OUTPUTS, producer).number()
    with boa.reverts("proof"):
        send(settling, opened, OUTPUTS, abi_encode(["uint256", "uint256"], [number, 78]))


def test_w13_a_proof_for_one_task_does_not_settle_another(settling: Settling) -> None:
    first, second = settling.open(), settling.open()
    producers = [settling.assign(opened) for opened in (first, second)]
    proof = settling.proof(first, OUTPUTS, producers[0])
    with boa.reverts("proof"):
        send(settling, second, OUTPUTS, proof)
    send(settling, first, OUTPUTS, proof)


def test_w5_another_operators_proof_does_not_settle(settling: Settling) -> None:
    opened, producer = settling.assigned()
    for key in s.OPERATORS:
        if key.address != producer:
            with boa.reverts("proof"):
                settling.settle(opened, OUTPUTS, key.address)
    settling.settle(opened, OUTPUTS, producer)


def test_after_expiry_the_old_operator_is_refused_once_another_is_drawn(settling: Settling) -> None:
    opened, old = settling.assigned()
    new = settling.reopen(opened)
    assert new != old
    with boa.reverts("proof"):
        settling.settle(opened, OUTPUTS, old)
    settling.settle(opened, OUTPUTS, new)
    assert settling.settlement.result(opened.id).producer.canonical_address == new


def test_a_late_proof_is_good_until_another_is_drawn(settling: Settling) -> None:
    opened, producer = settling.assigned()
    s.seconds(10 * s.WINDOW)
    settling.settle(opened, OUTPUTS, producer)


@pytest.mark.parametrize("outputs", [OUTPUTS[:-1], (*OUTPUTS, 0), (), (*OUTPUTS, *OUTPUTS)])
def test_the_outputs_have_the_programs_length(settling: Settling, outputs: tuple[int, ...]) -> None:
    opened, producer = settling.assigned()
    with boa.reverts("outputs"):
        settling.settle(opened, outputs, producer)


@pytest.mark.parametrize(
    "units",
    [
        (1, 2, 4),
        (7, 0, 0),
        (6, 0, 1),
        (0, 0, 7),
        (2**256 - 1, 1, 1),
        (2**255, 2**255, 1),
        (1, 2, FIELD_MODULUS + 3),
    ],
)
def test_more_units_than_readings_are_refused(settling: Settling, units: tuple[int, ...]) -> None:
    opened, producer = settling.assigned()
    with boa.reverts("units"):
        settling.settle(opened, (9, 8, *units), producer)


@pytest.mark.parametrize("units", [(6, 0, 0), (0, 0, 6), (0, 0, 0), (2, 2, 2)])
def test_up_to_all_readings_are_paid(settling: Settling, units: tuple[int, ...]) -> None:
    opened, producer = settling.assigned()
    settling.settle(opened, (9, 8, *units), producer)
    assert settling.escrow.held(opened.id) == sum(units) * s.UNIT_RATE


@given(data=st.data())
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_the_pay_root_is_the_grounds_for_any_count_of_devices(
    settling: Settling, data: Any
) -> None:
    offset, count, tail = data.draw(
        st.tuples(st.integers(0, 5), st.integers(1, 256), st.integers(0, 5)).filter(
            lambda shape: sum(shape) <= 256
        )
    )
    units = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    while sum(units) > 256:
        units[units.index(max(units))] = 0
    with boa.env.anchor():
        verifier = world.load("mocks/StatementVerifier", offset + count + tail, 0)
        settling.register_program(
            (b"\x0a" * 32,) * 3, verifier=verifier.address, pay_offset=offset, pay_count=count
        )
        opened, producer = settling.assigned(256)
        settling.settle(opened, [2**255] * offset + units + [2**255] * tail, producer)
        assert settling.settlement.result(opened.id).pay_root == s.pay_root(opened.id, units)


def test_a_program_without_pay_settles(settling: Settling) -> None:
    settling.register_program((b"\x0b" * 32,) * 3, operator_fee=0, unit_rate=0)
    opened, _ = settling.settled()
    assert settling.settlement.result(opened.id).pay_root == s.pay_root(opened.id, UNITS)
    assert settling.money() == s.DEPOSIT == settling.escrow.balance_of(1)
    settling.register_devices()
    with boa.reverts("rate"):
        settling.claim(opened, 0, UNITS)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        RIGHT[:63],
        RIGHT[:-32],
        RIGHT + bytes(32),
        RIGHT[:-1],
        abi_encode(["uint256"], [64]) + RIGHT[32:],
        RIGHT[:32] + abi_encode(["uint256"], [4]) + RIGHT[64:],
        RIGHT[:32] + abi_encode(["uint256"], [2**256 - 1]) + RIGHT[64:],
    ],
)
def test_outputs_in_another_form_are_refused(settling: Settling, other: bytes) -> None:
    opened, producer = settling.assigned()
    proof = settling.proof(opened, OUTPUTS, producer)
    with boa.reverts("outputs"):
        settling.settlement.settle(opened.id, other, proof)
    settling.settlement.settle(opened.id, RIGHT, proof)


def test_an_operator_that_refuses_money_cannot_be_settled_for(settling: Settling) -> None:
    wallet = world.load("mocks/Wallet")
    boa.env.set_balance(wallet.address, world.BOND)
    for key in s.OPERATORS:
        settling.operators.leave(sender=world.account(key))
    wallet.call(
        settling.operators.address,
        settling.operators.join.prepare_calldata(4, world.ZK),
        world.BOND,
    )
    opened, producer = settling.assigned()
    assert producer == wallet.address.canonical_address
    wallet.behave(True, ZERO, b"")
    with pytest.raises(boa.BoaError):
        settling.settle(opened, OUTPUTS, producer)
    assert settling.settlement.task(opened.id).state == s.ASSIGNED
    wallet.behave(False, ZERO, b"")
    settling.settle(opened, OUTPUTS, producer)


def test_an_operator_cannot_come_in_again_while_it_is_paid(settling: Settling) -> None:
    wallet = world.load("mocks/Wallet")
    boa.env.set_balance(wallet.address, world.BOND)
    for key in s.OPERATORS:
        settling.operators.leave(sender=world.account(key))
    wallet.call(
        settling.operators.address,
        settling.operators.join.prepare_calldata(4, world.ZK),
        world.BOND,
    )
    opened, producer = settling.assigned()
    proof = settling.proof(opened, OUTPUTS, producer)
    again = settling.settlement.settle.prepare_calldata(opened.id, encoded_outputs(OUTPUTS), proof)
    wallet.behave(False, settling.settlement.address, again)
    settling.settle(opened, OUTPUTS, producer)
    assert not wallet.inner_ok()
    assert boa.env.get_balance(wallet.address) == s.OPERATOR_FEE
