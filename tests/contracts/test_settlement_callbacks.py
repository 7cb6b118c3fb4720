"""The call into the project's contract: isolated, its gas in full, its failure told."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from opendepin.core.encodings import abi_encode
from opendepin.core.statement import encoded_outputs, outputs_hash
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Settling

OUTPUTS = (9, 8, 1, 2, 3)
QUIET, REVERTS, BURNS_GAS, REVERTS_LONG, CALLS = range(5)
ZERO = world.address_text(bytes(20))
CALLBACK_GAS = 1_000_000
NOT_TODAY = bytes.fromhex("08c379a0") + abi_encode(["string"], ["not today"])


def behave(settling: Settling, mode: int, target: Any = ZERO, data: bytes = b"") -> None:
    settling.receiver.behave(mode, target, data)


def test_the_projects_contract_is_told_the_result(settling: Settling) -> None:
    opened, _ = settling.settled(OUTPUTS)
    told = settling.receiver
    assert settling.settlement.result(opened.id).callback_ok
    assert told.called() == 1
    assert (told.last(), told.last_project(), told.last_batch()) == (opened.id, 1, opened.batch)
    assert (told.last_index(), told.last_outputs()) == (0, outputs_hash(OUTPUTS))
    assert CALLBACK_GAS * 0.97 < told.gas_given() <= CALLBACK_GAS


def test_success_is_an_event(settling: Settling) -> None:
    opened, producer = settling.assigned()
    settling.settle(opened, OUTPUTS, producer)
    (event,) = settling.events(settling.settlement, "CallbackDone")
    assert event.task == opened.id


@pytest.mark.parametrize("mode", [REVERTS, BURNS_GAS, REVERTS_LONG])
def test_a_failing_contract_changes_nothing_of_the_task(settling: Settling, mode: int) -> None:
    settling.settled(OUTPUTS)
    good = settling.money()
    behave(settling, mode)
    opened, producer = settling.assigned()
    settling.settle(opened, OUTPUTS, producer)
    (event,) = settling.events(settling.settlement, "CallbackFailed")
    assert event.task == opened.id
    assert event.reason == {REVERTS: NOT_TODAY, BURNS_GAS: b"", REVERTS_LONG: bytes(256)}[mode]
    result = settling.settlement.result(opened.id)
    assert not result.callback_ok
    assert result.pay_root == s.pay_root(opened.id, OUTPUTS[2:])
    assert s.DEPOSIT - settling.money() == 2 * (s.DEPOSIT - good)
    assert settling.receiver.called() == 1
    settling.register_devices()
    settling.claim(opened, 2, OUTPUTS[2:])


def test_a_failed_call_is_tried_again_until_it_succeeds_once(settling: Settling) -> None:
    behave(settling, REVERTS)
    opened, _ = settling.settled(OUTPUTS)
    stranger = world.account(s.STRANGER)
    settling.settlement.retry_callback(opened.id, list(OUTPUTS), sender=stranger)
    (event,) = settling.events(settling.settlement, "CallbackFailed")
    assert event.reason == NOT_TODAY
    behave(settling, QUIET)
    money = settling.money()
    for wrong in ((9, 8, 1, 2, 4), OUTPUTS[:-1], (*OUTPUTS, 0)):
        with boa.reverts("outputs"):
            settling.settlement.retry_callback(opened.id, list(wrong))
    settling.settlement.retry_callback(opened.id, list(OUTPUTS), sender=stranger)
    assert len(settling.events(settling.settlement, "CallbackDone")) == 1
    assert settling.settlement.result(opened.id).callback_ok
    assert settling.receiver.last_outputs() == outputs_hash(OUTPUTS)
    assert (settling.receiver.called(), settling.money()) == (1, money)
    with boa.reverts("called"):
        settling.settlement.retry_callback(opened.id, list(OUTPUTS))


def test_only_settled_tasks_are_told(settling: Settling) -> None:
    opened, _ = settling.assigned()
    with boa.reverts("state"):
        settling.settlement.retry_callback(opened.id, list(OUTPUTS))


def test_a_project_without_contract_is_not_called(settling: Settling) -> None:
    settling.register_program((b"\x0a" * 32,) * 3, callback=ZERO)
    opened, _ = settling.settled(OUTPUTS)
    assert settling.settlement.result(opened.id).callback_ok
    with boa.reverts("called"):
        settling.settlement.retry_callback(opened.id, list(OUTPUTS))


def test_the_sender_cannot_starve_the_call(settling: Settling) -> None:
    opened, producer = settling.assigned()
    proof = settling.proof(opened, OUTPUTS, producer)
    with boa.reverts("gas"):
        settling.settlement.settle(opened.id, encoded_outputs(OUTPUTS), proof, gas=1_100_000)
    settling.settlement.settle(opened.id, encoded_outputs(OUTPUTS), proof, gas=1_500_000)
    assert settling.settlement.result(opened.id).callback_ok


@pytest.mark.parametrize("call", ["settle", "retry_callback", "recall", "assign", "claim", "open"])
def test_the_projects_contract_cannot_come_in_again(settling: Settling, call: str) -> None:
    settling.register_devices()
    opened, producer = settling.assigned()
    waiting = settling.open()
    s.blocks(s.DRAW_DELAY + 1)
    units = OUTPUTS[2:]
    segment = settling.segment()
    batch = settling.submit([segment])
    arguments: dict[str, tuple[Any, ...]] = {
        "settle": (opened.id, encoded_outputs(OUTPUTS), settling.proof(opened, OUTPUTS, producer)),
        "retry_callback": (opened.id, list(OUTPUTS)),
        "recall": (opened.id,),
        "assign": (waiting.id,),
        "claim": (opened.id, 1, units[1], s.pay_path(opened.id, units, 1)),
        "open": (batch, 0, s.segment_call(segment)),
    }
    data = getattr(settling.settlement, call).prepare_calldata(*arguments[call])
    behave(settling, CALLS, settling.settlement.address, data)
    before = settling.money()
    settling.settle(opened, OUTPUTS, producer)
    burned = (s.OPERATOR_FEE + 6 * s.UNIT_RATE) * s.PROTOCOL_BPS // 10_000
    assert settling.receiver.called() == 1
    assert not settling.receiver.inner_ok()
    assert settling.money() == before - s.OPERATOR_FEE - burned
    assert settling.escrow.held(opened.id) == 6 * s.UNIT_RATE


def test_the_projects_contract_may_use_the_escrow_for_its_own_money(settling: Settling) -> None:
    settling.projects.transferFrom(
        settling.owner, settling.receiver.address, 1, sender=settling.owner
    )
    data = settling.escrow.withdraw.prepare_calldata(1, 5)
    behave(settling, CALLS, settling.escrow.address, data)
    opened, _ = settling.settled(OUTPUTS)
    assert not settling.receiver.inner_ok()  # it cannot receive money, so nothing was withdrawn
    assert settling.settlement.result(opened.id).callback_ok
    assert settling.money() == settling.escrow.balance_of(1) + settling.escrow.held(opened.id)
