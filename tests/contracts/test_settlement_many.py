"""Several tasks in one transaction: each for itself, one root over the results, each paid once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boa
import pytest

from opendepin.core import merkle
from opendepin.core.encodings import abi_encode, domain, keccak256
from opendepin.core.statement import encoded_outputs, outputs_hash
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Opened, Settling

OUTPUTS = (9, 8, 1, 2, 3)
HASHES = (b"\x04" * 32, b"\x05" * 32, b"\x06" * 32)
RESULT_DOMAIN = domain("result")
Item = tuple[Opened, bytes]


@pytest.fixture
def many(settling: Settling) -> Settling:
    """A ground whose current program has a verifier that checks several at once."""
    verifier = world.load("mocks/StatementManyVerifier", 5)
    settling.register_program(HASHES, verifier=verifier.address)
    return settling


def call(ground: Settling, items: Sequence[Item], **changed: Any) -> tuple[Any, ...]:
    """Settle tasks by one call; `proofs` and `outputs` replace single ones by place."""
    proofs = [ground.proof(opened, OUTPUTS, producer) for opened, producer in items]
    outputs = [encoded_outputs(OUTPUTS) for _ in items]
    for place, proof in changed.get("proofs", {}).items():
        proofs[place] = proof
    for place, raw in changed.get("outputs", {}).items():
        outputs[place] = raw
    tasks = [opened.id for opened, _ in items]
    sender = world.account(s.STRANGER)
    ground.settlement.settle_many(tasks, outputs, proofs, sender=sender)
    return ground.events(ground.settlement, "SettledMany")[0], ground.events(
        ground.settlement, "SettleFailed"
    )


def leaf(ground: Settling, opened: Opened) -> bytes:
    result = ground.settlement.result(opened.id)
    types = ["bytes32", "bytes32", "bytes32", "bytes32", "address"]
    values = [RESULT_DOMAIN, opened.id, result.outputs_hash, result.pay_root]
    return keccak256(abi_encode(types, [*values, result.producer.canonical_address]))


def states(ground: Settling, items: Sequence[Item]) -> list[int]:
    return [ground.settlement.task(opened.id).state for opened, _ in items]


def reason(event: Any) -> str:
    return event.reason[68 : 68 + event.reason[67]].decode()


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_all_settle_and_each_result_is_provable(many: Settling, count: int) -> None:
    items = [many.assigned() for _ in range(count)]
    before = boa.env.get_balance(many.burner.address)
    event, failed = call(many, items)
    assert (event.settled, event.given, event.combined, failed) == (count, count, count > 1, [])
    assert states(many, items) == [s.SETTLED] * count
    leaves = [leaf(many, opened) for opened, _ in items]
    assert event.root == merkle.root(leaves, merkle.pay_node)
    assert many.settlement.results_at(event.root) == boa.env.evm.patch.block_number
    held = 6 * s.UNIT_RATE
    assert [many.escrow.held(opened.id) for opened, _ in items] == [held] * count
    burned = count * ((s.OPERATOR_FEE + held) * s.PROTOCOL_BPS // 10_000)
    assert boa.env.get_balance(many.burner.address) - before == burned
    assert all(
        many.settlement.result(opened.id).outputs_hash == outputs_hash(OUTPUTS)
        for opened, _ in items
    )


def test_each_operator_is_paid_what_it_proved(many: Settling) -> None:
    items = [many.assigned() for _ in range(8)]
    producers = [producer for _, producer in items]
    assert len(set(producers)) > 1
    accounts = {p: world.address_text(p) for p in producers}
    before = {p: boa.env.get_balance(at) for p, at in accounts.items()}
    call(many, items)
    for producer, at in accounts.items():
        paid = boa.env.get_balance(at) - before[producer]
        assert paid == producers.count(producer) * s.OPERATOR_FEE
        assert many.operators.operator(at).load == 0


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_one_bad_proof_stops_no_other(many: Settling, bad: int) -> None:
    items = [many.assigned() for _ in range(3)]
    event, (failed,) = call(many, items, proofs={bad: b"\x01" * 64})
    assert (event.settled, event.combined) == (2, False)
    assert (failed.task, reason(failed)) == (items[bad][0].id, "proof")
    expected = [s.SETTLED] * 3
    expected[bad] = s.ASSIGNED
    assert states(many, items) == expected
    good = [leaf(many, opened) for place, (opened, _) in enumerate(items) if place != bad]
    assert event.root == merkle.root(good, merkle.pay_node)
    many.settle(*items[bad][:1], OUTPUTS, items[bad][1])


def test_a_proof_is_of_its_own_task(many: Settling) -> None:
    items = [many.assigned() for _ in range(2)]
    proofs = [many.proof(opened, OUTPUTS, producer) for opened, producer in items]
    event, failed = call(many, items, proofs={0: proofs[1], 1: proofs[0]})
    assert event.settled == 0
    assert [reason(each) for each in failed] == ["proof", "proof"]
    assert (event.root, many.settlement.results_at(bytes(32))) == (bytes(32), 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        encoded_outputs(OUTPUTS)[:-1],
        encoded_outputs(OUTPUTS)[:-32],
        encoded_outputs(OUTPUTS[:-1]),
        encoded_outputs((*OUTPUTS, 0)),
        (64).to_bytes(32, "big") + encoded_outputs(OUTPUTS)[32:],
        encoded_outputs(OUTPUTS) + bytes(32),
    ],
    ids=["none", "a byte less", "a word less", "one less", "one more", "offset", "tail"],
)
def test_outputs_have_one_form(many: Settling, raw: bytes) -> None:
    items = [many.assigned() for _ in range(2)]
    event, (failed,) = call(many, items, outputs={1: raw})
    assert (event.settled, reason(failed)) == (1, "outputs")


def test_more_units_than_readings_fail_alone(many: Settling) -> None:
    items = [many.assigned() for _ in range(2)]
    outputs = (9, 8, 5, 1, 1)
    proof = many.proof(items[0][0], outputs, items[0][1])
    event, (failed,) = call(many, items, outputs={0: encoded_outputs(outputs)}, proofs={0: proof})
    assert (event.settled, event.combined, reason(failed)) == (1, True, "units")
    assert many.escrow.reserved(items[0][0].id) > 0


def test_two_that_race_pay_once(many: Settling) -> None:
    items = [many.assigned() for _ in range(4)]
    call(many, items[:3])
    money = many.money()
    event, failed = call(many, [*items[:3], items[3]])
    assert (event.settled, [reason(each) for each in failed]) == (1, ["state"] * 3)
    event, failed = call(many, items)
    assert (event.settled, len(failed)) == (0, 4)
    assert many.money() < money


def test_one_task_twice_pays_once(many: Settling) -> None:
    item = many.assigned()
    event, (failed,) = call(many, [item, item])
    assert (event.settled, reason(failed)) == (1, "state")


def test_all_are_of_the_first_ones_program(many: Settling) -> None:
    first = many.assigned()
    many.register_program((b"\x07" * 32,) * 3)
    event, (failed,) = call(many, [first, many.assigned()])
    assert (event.settled, reason(failed)) == (1, "program")


def test_a_verifier_that_knows_no_several_is_asked_for_each(settling: Settling) -> None:
    items = [settling.assigned() for _ in range(2)]
    event, failed = call(settling, items)
    assert (event.settled, event.combined, failed) == (2, False, [])


def test_an_operator_that_takes_no_money_stops_nobody_and_is_owed(many: Settling) -> None:
    wallet = world.load("mocks/Wallet")
    boa.env.set_balance(wallet.address, world.BOND)
    join = many.operators.join.prepare_calldata(4, world.ZK)
    wallet.call(many.operators.address, join, world.BOND)
    for key in s.OPERATORS[1:]:
        many.operators.pause(sender=world.account(key))
    s.seconds(world.EPOCH)
    items = [many.assigned() for _ in range(3)]
    many.operators.pause(sender=world.account(s.OPERATORS[0]))
    items.append(many.assigned())
    assert items[-1][1] == wallet.address.canonical_address
    mine = [producer for _, producer in items].count(wallet.address.canonical_address)
    wallet.behave(True, world.address_text(bytes(20)), b"")
    event, failed = call(many, items)
    assert (event.settled, failed) == (4, [])
    assert many.escrow.owed(wallet.address) == mine * s.OPERATOR_FEE
    with pytest.raises(boa.BoaError):
        many.escrow.collect(wallet.address)
    wallet.behave(False, world.address_text(bytes(20)), b"")
    many.escrow.collect(wallet.address)
    with boa.reverts("owed"):
        many.escrow.collect(wallet.address)


def test_nobody_but_settlement_settles_one_of_several(many: Settling) -> None:
    opened, _ = many.assigned()
    with boa.reverts("self"):
        many.settlement.settle_one(
            opened.id, encoded_outputs(OUTPUTS), b"", True, 1, opened.program, sender=many.owner
        )


def test_the_lists_are_of_one_length(many: Settling) -> None:
    opened, producer = many.assigned()
    proof = many.proof(opened, OUTPUTS, producer)
    for wrong in (
        ([], [], []),
        ([opened.id], [], [proof]),
        ([opened.id], [encoded_outputs(OUTPUTS)], []),
    ):
        with boa.reverts("tasks"):
            many.settlement.settle_many(*wrong)


def test_a_failing_callback_fails_no_task(many: Settling) -> None:
    items = [many.assigned() for _ in range(2)]
    many.receiver.behave(1, world.address_text(bytes(20)), b"")
    event, failed = call(many, items)
    assert (event.settled, failed) == (2, [])
    assert not many.settlement.result(items[0][0].id).callback_ok


def test_a_devices_pay_of_many_tasks_comes_at_once_and_once(many: Settling) -> None:
    devices = many.register_devices(3)
    items = [many.assigned() for _ in range(4)]
    call(many, items)
    units = OUTPUTS[2:]
    owner = world.address_text(s.DEVICE_OWNER.address)
    many.claim(items[0][0], 1, units)
    tasks = [opened.id for opened, _ in items]
    paths = [s.pay_path(task, units, 1) for task in tasks]
    before = boa.env.get_balance(owner)
    many.settlement.claim_many(1, tasks, [units[1]] * 4, paths)
    paid = many.events(many.settlement, "DevicePaid")
    assert [event.task for event in paid] == tasks[1:]
    assert all(event.device == int.from_bytes(devices[1], "big") for event in paid)
    assert boa.env.get_balance(owner) - before == 3 * units[1] * s.UNIT_RATE
    with boa.reverts("claimed"):
        many.settlement.claim_many(1, tasks, [units[1]] * 4, paths)


def test_a_claim_of_many_is_refused_whole(many: Settling) -> None:
    many.register_devices(3)
    items = [many.assigned() for _ in range(2)]
    call(many, items)
    units = OUTPUTS[2:]
    tasks = [opened.id for opened, _ in items]
    paths = [s.pay_path(task, units, 1) for task in tasks]
    claim = many.settlement.claim_many
    with boa.reverts("path"):
        claim(1, tasks, [units[1], units[1] + 1], paths)
    with boa.reverts("path"):
        claim(1, tasks, [units[1]] * 2, paths[::-1])
    with boa.reverts("tasks"):
        claim(1, tasks, [units[1]], paths)
    with boa.reverts("index"):
        claim(256, tasks, [units[1]] * 2, paths)
    with boa.reverts("device"):
        claim(7, tasks, [units[1]] * 2, paths)
    waiting, _ = many.assigned()
    with boa.reverts("state"):
        claim(1, [tasks[0], waiting.id], [units[1]] * 2, paths)
    claim(1, tasks, [units[1]] * 2, paths)
