"""Bonds, capacities, pauses and exits of operators, and the snapshots they are drawn from."""

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

from opendepin.core.draw import Member, candidates, drawn, snapshot_address
from opendepin.core.keys import Key
from opendepin.core.limits import MAX_OPERATORS
from tests.contracts import world

KEYS = tuple(Key.from_seed(b"operator %d" % i) for i in range(4))
ONE, TWO, THREE = KEYS[:3]
MISS = world.BOND * world.MISS_BPS // 10_000
ON_TIME, DECLINED, MISSED = 1, 2, 3
QUEUE_STEP = world.EXIT_DELAY // MAX_OPERATORS


def join(operators: Any, key: Key, value: int = world.BOND, capacity: int = 4) -> Any:
    sender = world.account(key)
    operators.join(capacity, world.ZK, value=value, sender=sender)
    return sender


def snapshot(operators: Any) -> list[Member]:
    """Renew the snapshot in a later epoch and return it."""
    boa.env.time_travel(seconds=world.EPOCH)
    version, count = operators.snapshot()
    found = [Member(m.operator.canonical_address, m.weight) for m in operators.members(version)]
    assert len(found) == count
    return found


@pytest.fixture
def bound(projects: Any, burner: Any) -> Any:
    """Operators bound to an account that stands for settlement."""
    escrow = world.load("Escrow", projects.address, burner.address, 0)
    stand_in = boa.loads(STAND_IN, escrow.address)
    made = world.deploy_operators()
    made.bind(stand_in.address)
    return made


STAND_IN = """
escrow: public(address)

@deploy
def __init__(escrow_: address):
    self.escrow = escrow_
"""


def draw(operators: Any, seed: bytes = bytes(32), before: Any = None, kind: int = 1) -> Any:
    """Draw as settlement would; returns operator and number of those passed over."""
    before = before or world.address_text(bytes(20))
    return operators.draw(
        operators.version(), b"\x07" * 32, seed, 0, before, kind, sender=operators.settlement()
    )


def test_joins_with_at_least_the_bond(operators: Any) -> None:
    for wrong in (world.BOND - 1, 0):
        with boa.reverts("bond"):
            join(operators, ONE, wrong)
    operator = join(operators, ONE, world.BOND + 5)
    (event,) = operators.get_logs()
    assert (event.operator, event.stake) == (operator, world.BOND + 5)
    assert (event.capacity, event.kinds) == (4, world.ZK)
    assert operators.is_member(operator)
    assert operators.bonds_held() == world.BOND + 5 == boa.env.get_balance(operators.address)
    record = operators.operator(operator)
    assert (record.stake, record.score, record.load) == (world.BOND + 5, 50, 0)
    with boa.reverts("member"):
        join(operators, ONE)


@pytest.mark.parametrize(
    ("capacity", "kinds", "reason"),
    [(0, 1, "capacity"), (2**16, 1, "capacity"), (1, 0, "kinds"), (1, 2**16, "kinds")],
)
def test_an_offer_is_bounded(operators: Any, capacity: int, kinds: int, reason: str) -> None:
    with boa.reverts(reason):
        operators.join(capacity, kinds, value=world.BOND, sender=world.account(ONE))
    sender = join(operators, ONE)
    with boa.reverts(reason):
        operators.offer(capacity, kinds, sender=sender)
    operators.offer(2**16 - 1, 2**16 - 1, sender=sender)
    record = operators.operator(sender)
    assert (record.capacity, record.kinds, record.stake) == (2**16 - 1, 2**16 - 1, world.BOND)


def test_a_snapshot_weighs_stake_by_score_and_stands_at_its_own_address(operators: Any) -> None:
    one, two = join(operators, ONE), join(operators, TWO, 3 * world.BOND)
    members = snapshot(operators)
    unit = world.BOND // 10**9 * 50
    assert members == [Member(ONE.address, unit), Member(TWO.address, 3 * unit)]
    at = operators.snapshots(1).canonical_address
    assert at == snapshot_address(operators.address.canonical_address, 1, members)
    changed = [members[0], Member(TWO.address, 3 * unit + 1)]
    assert at != snapshot_address(operators.address.canonical_address, 1, changed)
    operators.pause(sender=one)
    assert snapshot(operators) == members[1:]
    operators.resume(sender=one)
    operators.leave(sender=two)
    assert snapshot(operators) == members[:1]
    assert [len(operators.members(version)) for version in range(5)] == [0, 2, 1, 1, 0]


def test_a_snapshot_holds_for_its_epoch_and_while_nothing_changes(operators: Any) -> None:
    join(operators, ONE)
    assert operators.snapshot() == (1, 1)
    join(operators, TWO)
    assert operators.snapshot() == (1, 1)
    boa.env.time_travel(seconds=world.EPOCH - 1)
    assert operators.snapshot() == (1, 1)
    boa.env.time_travel(seconds=1)
    assert operators.snapshot() == (2, 2)
    boa.env.time_travel(seconds=world.EPOCH)
    assert operators.snapshot() == (2, 2)


def test_only_settlement_draws_and_judges(bound: Any) -> None:
    operator = join(bound, ONE)
    bound.snapshot()
    with boa.reverts("settlement"):
        bound.draw(1, bytes(32), bytes(32), 0, operator, 1, sender=operator)
    with boa.reverts("settlement"):
        bound.release(operator, MISSED, 1, sender=operator)
    with boa.reverts("bound"):
        bound.bind(bound.settlement())
    with boa.reverts("deployer"):
        world.deploy_operators().bind(bound.settlement(), sender=operator)


def test_64_operators_are_drawn_by_the_grounds_rule(bound: Any) -> None:
    keys = [Key.from_seed(b"many %d" % i) for i in range(MAX_OPERATORS)]
    for i, key in enumerate(keys):
        join(bound, key, world.BOND * (1 + i % 7))
    with boa.reverts("full"):
        join(bound, ONE)
    members = snapshot(bound)
    assert len(members) == MAX_OPERATORS
    seen = set()
    for number in range(20):
        seed = number.to_bytes(32, "big")
        found, skipped = draw(bound, seed)
        assert skipped == 0
        assert found.canonical_address == drawn(b"\x07" * 32, seed, 0, members)
        seen.add(found)
    assert len(seen) > 10
    for key in keys[:60]:
        bound.pause(sender=world.account(key))
    free = {key.address for key in keys[60:]}
    for number in range(6):
        seed = number.to_bytes(32, "big")
        found, skipped = draw(bound, seed)
        order = list(candidates(b"\x07" * 32, seed, 0, [m.weight for m in members]))
        assert members[order[skipped]].operator == found.canonical_address
        assert not {members[place].operator for place in order[:skipped]} & free
        bound.release(found, 0, 1, sender=bound.settlement())


def test_stake_draws_in_proportion() -> None:
    weights = [1, 3, 0, 4]
    first = [next(candidates(bytes(32), n.to_bytes(32, "big"), 0, weights)) for n in range(4_000)]
    shares = [first.count(place) / 4_000 for place in range(4)]
    assert shares[2] == 0
    assert all(abs(share - w / 8) < 0.03 for share, w in zip(shares, weights, strict=True))


def test_the_one_before_is_drawn_again_only_when_nobody_else_is_free(bound: Any) -> None:
    one, two = join(bound, ONE), join(bound, TWO)
    bound.snapshot()
    for number in range(6):
        found, _ = draw(bound, number.to_bytes(32, "big"), before=one)
        assert found == two
        bound.release(two, 0, 1, sender=bound.settlement())
    bound.pause(sender=two)
    assert draw(bound, before=one)[0] == one
    bound.pause(sender=one)
    with boa.reverts("operators"):
        draw(bound, before=one)


def test_capacity_and_kind_bound_what_is_drawn(bound: Any) -> None:
    one = join(bound, ONE, capacity=2)
    bound.snapshot()
    for kind in (0, 2, 15, 16, 300):
        with boa.reverts("operators"):
            draw(bound, kind=kind)
    draw(bound)
    draw(bound)
    with boa.reverts("operators"):
        draw(bound)
    bound.release(one, ON_TIME, 1, sender=bound.settlement())
    draw(bound)
    assert bound.operator(one).load == 2


def test_scores_are_bounded(bound: Any) -> None:
    one = join(bound, ONE, 20 * world.BOND, capacity=200)
    bound.snapshot()
    for outcome, edge in ((ON_TIME, 100), (DECLINED, 1), (ON_TIME, 2), (MISSED, 1)):
        for _ in range(60 if edge > 2 or outcome == DECLINED else 1):
            draw(bound)
            bound.release(one, outcome, 1, sender=bound.settlement())
        assert bound.operator(one).score == edge


def test_a_miss_takes_no_more_than_there_is(bound: Any) -> None:
    one = join(bound, ONE, capacity=20)
    bound.snapshot()
    for _ in range(12):
        draw(bound)
    for number in range(12):
        bound.release(one, MISSED, 1, sender=bound.settlement())
        assert bound.operator(one).stake == max(0, world.BOND - (number + 1) * MISS)
    assert bound.bonds_held() == 0 == boa.env.get_balance(bound.address)
    escrow = bound.escrow()
    assert boa.env.get_balance(escrow) == world.BOND


def test_who_lost_half_the_bond_is_drawn_again_after_adding_to_it(bound: Any) -> None:
    one = join(bound, ONE, capacity=20)
    bound.snapshot()
    for missed in range(1, 7):
        draw(bound)
        bound.release(one, MISSED, 1, sender=bound.settlement())
        assert bound.is_free(one, world.GROTH16) == (missed <= 5)
    assert snapshot(bound) == []
    with boa.reverts("operators"):
        draw(bound)
    bound.add_stake(value=MISS, sender=one)
    assert bound.is_free(one, world.GROTH16)
    assert [member.operator for member in snapshot(bound)] == [ONE.address]


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


def test_exits_queue_and_all_are_out_within_twice_the_delay(operators: Any) -> None:
    senders = [join(operators, key) for key in KEYS]
    start = boa.env.timestamp
    for number, sender in enumerate(senders):
        operators.leave(sender=sender)
        due = start + world.EXIT_DELAY + number * QUEUE_STEP
        assert operators.operator(sender).withdrawable_at == due
    assert MAX_OPERATORS * QUEUE_STEP <= world.EXIT_DELAY


def test_a_task_due_holds_the_bond_and_nothing_else_does(bound: Any) -> None:
    one = join(bound, ONE)
    bound.snapshot()
    draw(bound)
    bound.leave(sender=one)
    boa.env.time_travel(seconds=world.EXIT_DELAY)
    with boa.reverts("tasks due"):
        bound.withdraw(sender=one)
    bound.release(one, MISSED, 1, sender=bound.settlement())
    bound.withdraw(sender=one)
    (event,) = bound.get_logs()
    assert event.amount == world.BOND - MISS


def test_a_score_outlives_an_exit(bound: Any) -> None:
    one = join(bound, ONE)
    bound.snapshot()
    draw(bound)
    bound.release(one, MISSED, 1, sender=bound.settlement())
    bound.leave(sender=one)
    boa.env.time_travel(seconds=world.EXIT_DELAY)
    bound.withdraw(sender=one)
    join(bound, ONE)
    assert bound.operator(one).score == 30


def test_who_is_no_member_changes_nothing(operators: Any) -> None:
    stranger = world.account(ONE)
    calls = (operators.leave, operators.pause, operators.resume)
    for call in calls:
        with boa.reverts("member"):
            call(sender=stranger)
    with boa.reverts("member"):
        operators.offer(1, 1, sender=stranger)
    with boa.reverts("member"):
        operators.add_stake(value=1, sender=stranger)
    join(operators, ONE)
    operators.pause(sender=stranger)
    with boa.reverts("paused"):
        operators.pause(sender=stranger)
    operators.resume(sender=stranger)
    with boa.reverts("not paused"):
        operators.resume(sender=stranger)
    with boa.reverts("stake"):
        operators.add_stake(sender=stranger)
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
    assert operators.seats() == [operator]


def test_an_operator_that_refuses_money_names_another_receiver(operators: Any) -> None:
    vault = world.load("mocks/Vault")
    data = operators.join.prepare_calldata(1, world.ZK)
    vault.execute(operators.address, data, value=world.BOND)
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
    data = operators.join.prepare_calldata(1, world.ZK)
    vault.execute(operators.address, data, value=world.BOND)
    vault.execute(operators.address, operators.leave.prepare_calldata())
    boa.env.time_travel(seconds=world.EXIT_DELAY)
    vault.reenter(operators.address, operators.withdraw.prepare_calldata())
    with boa.reverts():
        vault.execute(operators.address, operators.withdraw.prepare_calldata())
    assert boa.env.get_balance(operators.address) == 2 * world.BOND


@pytest.mark.parametrize(
    ("bond", "delay", "epoch", "bps", "reason"),
    [
        (10**9 - 1, 1, 0, 0, "bond"),
        (2**96, 1, 0, 0, "bond"),
        (10**9, 0, 0, 0, "exit delay"),
        (10**9, 31_536_001, 0, 0, "exit delay"),
        (10**9, 1, 31_536_001, 0, "epoch"),
        (10**9, 1, 0, 10_001, "share"),
    ],
)
def test_a_wrong_start_is_refused(bond: int, delay: int, epoch: int, bps: int, reason: str) -> None:
    with boa.reverts(reason):
        world.load("Operators", bond, delay, epoch, bps)


@pytest.mark.parametrize("edges", [(10**9, 1, 0, 0), (2**96 - 1, 31_536_000, 31_536_000, 10_000)])
def test_the_edges_of_a_start_are_taken(edges: tuple[int, ...]) -> None:
    made = world.load("Operators", *edges)
    assert (made.bond(), made.exit_delay(), made.epoch()) == edges[:3]
    assert made.miss_amount() == edges[0] * edges[3] // 10_000


class OperatorsMachine(RuleBasedStateMachine):
    """Any joins, pauses, draws, misses, exits: slashed + held + withdrawn = deposited."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        burner = world.load("Burner")
        projects = world.deploy_projects(burner)
        self.escrow = world.load("Escrow", projects.address, burner.address, 0)
        self.operators = world.deploy_operators()
        self.operators.bind(boa.loads(STAND_IN, self.escrow.address).address)
        self.settlement = self.operators.settlement()
        self.senders = [world.account(key) for key in KEYS]
        self.stake: dict[Any, int] = {}
        self.leaving: dict[Any, int] = {}
        self.paused: set[Any] = set()
        self.load = dict.fromkeys(self.senders, 0)
        self.last_exit = self.deposited = self.slashed = self.withdrawn = self.number = 0
        self.versions: dict[int, list[Any]] = {}

    def teardown(self) -> None:
        self.anchor.__exit__(None, None, None)

    def members(self) -> list[Any]:
        return [sender for sender in self.stake if sender not in self.leaving]

    @rule(at=st.integers(0, 3), extra=st.integers(0, world.BOND))
    def join(self, at: int, extra: int) -> None:
        sender, value = self.senders[at], world.BOND + extra
        if sender in self.stake:
            with boa.reverts("withdraw first" if sender in self.leaving else "member"):
                self.operators.join(2, world.ZK, value=value, sender=sender)
            return
        self.operators.join(2, world.ZK, value=value, sender=sender)
        self.stake[sender] = value
        self.deposited += value

    @rule(at=st.integers(0, 3), value=st.integers(1, world.BOND))
    def add(self, at: int, value: int) -> None:
        sender = self.senders[at]
        if sender not in self.members():
            with boa.reverts("member"):
                self.operators.add_stake(value=value, sender=sender)
            return
        self.operators.add_stake(value=value, sender=sender)
        self.stake[sender] += value
        self.deposited += value

    @rule(at=st.integers(0, 3), pause=st.booleans())
    def pause(self, at: int, pause: bool) -> None:
        sender = self.senders[at]
        if sender in self.members() and pause != (sender in self.paused):
            (self.operators.pause if pause else self.operators.resume)(sender=sender)
            (self.paused.add if pause else self.paused.discard)(sender)

    @rule(at=st.integers(0, 3))
    def leave(self, at: int) -> None:
        sender = self.senders[at]
        if sender not in self.members():
            with boa.reverts("member"):
                self.operators.leave(sender=sender)
            return
        self.operators.leave(sender=sender)
        due = max(boa.env.timestamp + world.EXIT_DELAY, self.last_exit + QUEUE_STEP)
        self.leaving[sender] = self.last_exit = due
        self.paused.discard(sender)

    @rule(at=st.integers(0, 3))
    def withdraw(self, at: int) -> None:
        sender = self.senders[at]
        if boa.env.timestamp < self.leaving.get(sender, 2**64) or self.load[sender]:
            with boa.reverts():
                self.operators.withdraw(sender=sender)
            return
        self.operators.withdraw(sender=sender)
        self.withdrawn += self.stake.pop(sender)
        del self.leaving[sender]

    @rule()
    def snapshot(self) -> None:
        version, _ = self.operators.snapshot()
        self.versions.setdefault(version, self.operators.members(version))

    @rule()
    def draw(self) -> None:
        version = self.operators.version()
        listed = [m.operator for m in self.versions.get(version, [])]
        free = [
            sender
            for sender in self.members()
            if sender in listed
            and sender not in self.paused
            and 2 * self.stake[sender] >= world.BOND
            and self.load[sender] < 2
        ]
        self.number += 1
        if not free:
            with boa.reverts("operators"):
                draw(self.operators, self.number.to_bytes(32, "big"))
            return
        found, _ = draw(self.operators, self.number.to_bytes(32, "big"))
        assert found in free
        self.load[found] += 1

    @rule(at=st.integers(0, 3), outcome=st.integers(0, 3))
    def release(self, at: int, outcome: int) -> None:
        sender = self.senders[at]
        if self.load[sender] == 0:
            return
        slashed = self.operators.release(sender, outcome, 1, sender=self.settlement)
        assert slashed == (min(self.stake[sender], MISS) if outcome == MISSED else 0)
        self.load[sender] -= 1
        self.stake[sender] -= slashed
        self.slashed += slashed

    @rule(seconds=st.sampled_from([1, world.EPOCH, world.EXIT_DELAY - 1, world.EXIT_DELAY]))
    def wait(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    @invariant()
    def bonds_add_up(self) -> None:
        held = sum(self.stake.values())
        assert self.operators.bonds_held() == held == boa.env.get_balance(self.operators.address)
        assert self.slashed + held + self.withdrawn == self.deposited
        assert boa.env.get_balance(self.escrow.address) == self.slashed

    @invariant()
    def each_record_is_its_own(self) -> None:
        for sender in self.senders:
            record = self.operators.operator(sender)
            assert record.stake == self.stake.get(sender, 0)
            assert record.load == self.load[sender]
            assert record.member == (sender in self.members())
            assert 1 <= record.score <= 100

    @invariant()
    def snapshots_stand(self) -> None:
        for version, listed in self.versions.items():
            assert self.operators.members(version) == listed


TestOperators = OperatorsMachine.TestCase
TestOperators.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_operators_for_long() -> None:
    run_state_machine_as_test(
        OperatorsMachine, settings=settings(max_examples=200, stateful_step_count=60, deadline=None)
    )
