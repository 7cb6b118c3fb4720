"""Money over any sequence of calls: every wei is in one place, and each task is paid once."""

from __future__ import annotations

from functools import partial
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opendepin.core.statement import encoded_outputs, program_id
from tests.contracts import settling as s
from tests.contracts import world

BURN_REASON = b"settlement".ljust(32, b"\0")
PICK = st.integers(0, 2**16)
COUNT = 8
STATES = st.sampled_from([None, s.OPEN, s.ASSIGNED, s.ASSIGNED, s.SETTLED])
"""Of which tasks one is picked; `None` for any."""
UNITS = st.tuples(*[st.integers(0, 3)] * 3)
FORGES = st.sampled_from([False, False, False, True])
FORGED = b"\x01" * 64


class Money(RuleBasedStateMachine):
    """Drives the real contracts, keeps its own books, and compares."""

    @initialize()
    def deploy(self) -> None:
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.settling = s.build()
        several = world.load("mocks/StatementManyVerifier", 5)
        self.settling.register_program((b"\x0e" * 32,) * 3, verifier=several.address)
        self.settling.verifier = several
        self.settling.register_devices(3)
        names = ["withdrawn", "operators", "devices", "burned", "deposited", "slashed"]
        self.books = dict.fromkeys(names, 0) | {"deposited": s.DEPOSIT}
        self.free = s.DEPOSIT
        self.reserved: dict[bytes, int] = {}
        self.held: dict[bytes, int] = {}
        self.tasks: dict[bytes, tuple[s.Opened, int]] = {}
        self.units: dict[bytes, tuple[int, int, int]] = {}
        self.paid: set[tuple[bytes, int]] = set()

    def teardown(self) -> None:
        if hasattr(self, "anchor"):
            self.anchor.__exit__(None, None, None)

    def pick(self, number: int, state: int | None = None) -> s.Opened | None:
        found = [task for task, at in self.tasks.values() if state in (None, at)]
        return found[number % len(found)] if found else None

    def refused(self, call: Any, *arguments: Any, **options: Any) -> bool:
        """Try a call; say whether it was refused."""
        try:
            call(*arguments, **options)
        except boa.BoaError:
            return True
        return False

    @rule(amount=st.integers(1, world.ETHER))
    def deposit(self, amount: int) -> None:
        self.settling.escrow.deposit(1, value=amount, sender=world.account(s.STRANGER))
        self.books["deposited"] += amount
        self.free += amount

    @rule(share=st.integers(0, 120))
    def withdraw(self, share: int) -> None:
        amount = self.free * share // 100
        done = not self.refused(
            self.settling.escrow.withdraw, 1, amount, sender=self.settling.owner
        )
        assert done == (0 < amount <= self.free)
        if done:
            self.books["withdrawn"] += amount
            self.free -= amount

    @rule(
        rate=st.integers(0, 10**17),
        fee=st.integers(0, 10**17),
        seed=st.binary(min_size=32, max_size=32),
    )
    def register(self, rate: int, fee: int, seed: bytes) -> None:
        known = self.settling.programs.terms(1, program_id(*(seed,) * 3)).output_count != 0
        register = partial(self.settling.register_program, unit_rate=rate, operator_fee=fee)
        assert self.refused(register, (seed,) * 3) == known

    @rule(units=UNITS)
    def carry(self, units: tuple[int, int, int]) -> None:
        """Bring the newest task from its opening to its settlement."""
        self.open()
        newest = len(self.tasks) - 1
        self.assign(newest, None, ready=True)
        self.settle(newest, None, units, forged=False)

    @rule()
    def open(self) -> None:
        segment = self.settling.segment(COUNT)
        batch = self.settling.submit([segment])
        program = self.settling.programs.current(1)
        terms = self.settling.programs.terms(1, program)
        work = terms.operator_fee + COUNT * terms.unit_rate
        cost = work + work * s.PROTOCOL_BPS // 10_000
        call = s.segment_call(segment)
        done = not self.refused(self.settling.settlement.open, batch, 0, call)
        assert done == (cost <= self.free)
        if done:
            task = self.settling.settlement.task_at(batch, 0)
            self.tasks[task] = s.Opened(task, batch, 0, segment, program), s.OPEN
            self.reserved[task] = cost
            self.free -= cost
            assert self.refused(self.settling.settlement.open, batch, 0, call)

    @rule(number=PICK, state=STATES, ready=st.booleans())
    def assign(self, number: int, state: int | None, ready: bool) -> None:
        task = self.pick(number, state)
        if ready:
            s.blocks(s.DRAW_DELAY + 1, s.WINDOW + 1)
        if task and not self.refused(self.settling.settlement.assign, task.id):
            assert self.tasks[task.id][1] == s.OPEN
            self.tasks[task.id] = task, s.ASSIGNED

    @rule(number=PICK, late=st.booleans())
    def reopen(self, number: int, late: bool) -> None:
        """Take a task from who missed its deadline: the project is given a share of the bond."""
        task = self.pick(number, s.ASSIGNED)
        if late:
            s.seconds(s.WINDOW + 1)
        before = self.settling.operators.bonds_held()
        if task and not self.refused(self.settling.settlement.reopen, task.id):
            slashed = before - self.settling.operators.bonds_held()
            assert slashed <= self.settling.operators.miss_amount()
            self.tasks[task.id] = task, s.OPEN
            self.books["slashed"] += slashed
            self.free += slashed

    @rule(number=PICK)
    def decline(self, number: int) -> None:
        task = self.pick(number, s.ASSIGNED)
        if task:
            sender = self.settling.settlement.task(task.id).assignee
            if not self.refused(self.settling.settlement.decline, task.id, sender=sender):
                self.tasks[task.id] = task, s.OPEN

    @rule(at=st.integers(0, 2), pause=st.booleans())
    def pause(self, at: int, pause: bool) -> None:
        operators, sender = self.settling.operators, world.account(s.OPERATORS[at])
        self.refused(operators.pause if pause else operators.resume, sender=sender)

    @rule(units=UNITS, bad=st.sampled_from([None, 0, 1]))
    def settle_several(self, units: tuple[int, int, int], bad: int | None) -> None:
        """Settle every task of one program that can be, by one call; one proof may be false."""
        ready = [task for task, at in self.tasks.values() if at == s.ASSIGNED]
        ready = [task for task in ready if task.program == ready[0].program][:16]
        if not ready or sum(units) > COUNT:
            return
        settlement, outputs = self.settling.settlement, [1, 2, *units]
        producers = [settlement.task(t.id).assignee.canonical_address for t in ready]
        proofs = [
            FORGED if place == bad else self.settling.proof(task, outputs, producer)
            for place, (task, producer) in enumerate(zip(ready, producers, strict=True))
        ]
        encoded = [encoded_outputs(outputs)] * len(ready)
        settlement.settle_many([task.id for task in ready], encoded, proofs)
        for place, task in enumerate(ready):
            if place != bad:
                self.note_settled(task, units)

    @rule(number=PICK, state=STATES, units=UNITS, forged=FORGES)
    def settle(
        self, number: int, state: int | None, units: tuple[int, int, int], forged: bool
    ) -> None:
        task = self.pick(number, state)
        if task is None:
            return
        settlement = self.settling.settlement
        producer = settlement.task(task.id).assignee.canonical_address
        outputs = [1, 2, *units]
        proof = FORGED if forged else self.settling.proof(task, outputs, producer)
        done = not self.refused(settlement.settle, task.id, encoded_outputs(outputs), proof)
        due = self.tasks[task.id][1] == s.ASSIGNED and sum(units) <= COUNT and not forged
        assert done == due
        if done:
            self.note_settled(task, units)

    def note_settled(self, task: s.Opened, units: tuple[int, int, int]) -> None:
        terms = self.settling.programs.terms(1, task.program)
        held = sum(units) * terms.unit_rate
        burned = (terms.operator_fee + held) * s.PROTOCOL_BPS // 10_000
        self.books["operators"] += terms.operator_fee
        self.books["burned"] += burned
        self.free += self.reserved.pop(task.id) - terms.operator_fee - held - burned
        self.held[task.id] = held
        self.units[task.id] = units
        self.tasks[task.id] = task, s.SETTLED

    @rule(number=PICK, late=st.booleans())
    def recall(self, number: int, late: bool) -> None:
        task = self.pick(number)
        if late:
            s.seconds(s.WINDOW + s.RECALL_DELAY + 1)
        if task and not self.refused(
            self.settling.settlement.recall, task.id, sender=self.settling.owner
        ):
            assert self.tasks[task.id][1] in (s.OPEN, s.ASSIGNED)
            self.tasks[task.id] = task, s.RECALLED
            self.free += self.reserved.pop(task.id)

    @precondition(lambda self: self.units)
    @rule(number=PICK, index=st.integers(0, 2))
    def claim(self, number: int, index: int) -> None:
        task = self.pick(number, s.SETTLED)
        if task is None:
            return
        units = self.units[task.id]
        rate = self.settling.programs.terms(1, task.program).unit_rate
        done = not self.refused(self.settling.claim, task, index, units)
        assert done == (units[index] * rate > 0 and (task.id, index) not in self.paid)
        if done:
            self.paid.add((task.id, index))
            self.held[task.id] -= units[index] * rate
            self.books["devices"] += units[index] * rate

    @rule(mode=st.sampled_from([0, 1, 2]))
    def behave(self, mode: int) -> None:
        self.settling.receiver.behave(mode, world.address_text(bytes(20)), b"")

    @rule(number=PICK)
    def retry(self, number: int) -> None:
        task = self.pick(number, s.SETTLED)
        if task:
            outputs = [1, 2, *self.units[task.id]]
            self.refused(self.settling.settlement.retry_callback, task.id, outputs)

    @rule(count=st.integers(1, 300))
    def wait(self, count: int) -> None:
        s.blocks(count, count * 4)

    @invariant()
    def books_balance(self) -> None:
        if not hasattr(self, "books"):
            return
        escrow, book = self.settling.escrow, self.books
        for task in self.tasks:
            assert escrow.reserved(task) == self.reserved.get(task, 0)
            assert escrow.held(task) == self.held.get(task, 0)
        inside = self.free + sum(self.reserved.values()) + sum(self.held.values())
        assert escrow.balance_of(1) == self.free
        assert self.settling.money() == inside
        out = book["withdrawn"] + book["operators"] + book["devices"] + book["burned"]
        assert book["deposited"] + book["slashed"] == inside + out
        bonds = self.settling.operators.bonds_held()
        assert bonds == boa.env.get_balance(self.settling.operators.address)
        assert bonds + book["slashed"] == len(s.OPERATORS) * world.BOND
        assert self.settling.burner.burned(BURN_REASON) == book["burned"]


def run(examples: int, steps: int) -> None:
    shape = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    case = type("Case", (Money.TestCase,), {"settings": shape})
    case("runTest").runTest()


def test_every_wei_is_in_one_place_after_any_calls() -> None:
    run(examples=12, steps=40)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_every_wei_is_in_one_place_for_long() -> None:
    run(examples=300, steps=120)
