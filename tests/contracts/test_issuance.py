"""The reserve is released by its authority alone, and supply is exact to the wei."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opendepin.core.keys import Key
from tests.contracts import world

AUTHORITY = Key.from_seed(b"authority")
OTHER = Key.from_seed(b"somebody else")
REASON = b"operators".ljust(32, b"\0")
GENESIS = 10**9 * world.ETHER
RESERVE = 10**5 * world.ETHER


def deploy(burner: Any, reserve: int = RESERVE, genesis: int = GENESIS) -> Any:
    founder = world.account(Key.from_seed(b"founder"), reserve)
    authority = world.account(AUTHORITY, 0)
    return world.load("Issuance", authority, burner.address, genesis, value=reserve, sender=founder)


@pytest.fixture
def issuance(burner: Any) -> Any:
    return deploy(burner)


def test_starts_with_the_reserve_out_of_circulation(issuance: Any) -> None:
    assert issuance.supply() == GENESIS - RESERVE
    assert issuance.remaining() == RESERVE == boa.env.get_balance(issuance.address)


def test_tells_its_first_authority(issuance: Any) -> None:
    (event,) = issuance.get_logs()
    authority = world.address_text(AUTHORITY.address)
    assert (event.before, event.authority) == (world.address_text(bytes(20)), authority)


def test_all_money_may_be_reserve(burner: Any) -> None:
    assert deploy(burner, RESERVE, RESERVE).supply() == 0


def test_a_release_cannot_be_entered_from_a_release(burner: Any) -> None:
    vault = world.load("mocks/Vault")
    vault.allow(True, True)
    issuance = world.load("Issuance", vault.address, burner.address, GENESIS, value=10)
    call = issuance.release.prepare_calldata(vault.address, 1, REASON)
    vault.execute(issuance.address, call)
    vault.reenter(issuance.address, call)
    with boa.reverts():
        vault.execute(issuance.address, call)
    assert issuance.released() == 1


def test_release_pays_and_counts(issuance: Any) -> None:
    to = world.account(OTHER, 0)
    issuance.release(to, 41, REASON, sender=world.account(AUTHORITY, 0))
    (event,) = issuance.get_logs()
    assert (event.to, event.reason, event.amount) == (to, REASON, 41)
    assert boa.env.get_balance(to) == issuance.released() == issuance.released_for(REASON) == 41
    assert issuance.supply() == GENESIS - RESERVE + 41


@pytest.mark.parametrize(
    ("sender", "to", "amount", "reason"),
    [
        (OTHER, OTHER.address, 1, "authority"),
        (AUTHORITY, bytes(20), 1, "receiver"),
        (AUTHORITY, None, 1, "receiver"),
        (AUTHORITY, OTHER.address, 0, "amount"),
        (AUTHORITY, OTHER.address, RESERVE + 1, "amount"),
    ],
)
def test_release_is_refused(
    issuance: Any, sender: Key, to: bytes | None, amount: int, reason: str
) -> None:
    receiver = issuance.address if to is None else world.address_text(to)
    with boa.reverts(reason):
        issuance.release(receiver, amount, REASON, sender=world.account(sender, 0))


def test_the_whole_reserve_can_be_released_and_no_wei_more(issuance: Any) -> None:
    authority, to = world.account(AUTHORITY, 0), world.account(OTHER, 0)
    issuance.release(to, RESERVE, REASON, sender=authority)
    boa.env.set_balance(issuance.address, 1)
    with boa.reverts("amount"):
        issuance.release(to, 1, REASON, sender=authority)


def test_the_authority_moves_in_two_steps(issuance: Any) -> None:
    authority, other = world.account(AUTHORITY, 0), world.account(OTHER, 0)
    with boa.reverts("authority"):
        issuance.offer_authority(other, sender=other)
    with boa.reverts("offer"):
        issuance.accept_authority(sender=other)
    issuance.offer_authority(other, sender=authority)
    (event,) = issuance.get_logs()
    assert (event.authority, event.offered_to) == (authority, other)
    assert issuance.authority() == authority
    issuance.accept_authority(sender=other)
    (event,) = issuance.get_logs()
    assert (event.before, event.authority) == (authority, other)
    assert issuance.authority() == other
    with boa.reverts("authority"):
        issuance.release(other, 1, REASON, sender=authority)
    with boa.reverts("offer"):
        issuance.accept_authority(sender=other)


def test_an_offer_can_be_taken_back(issuance: Any) -> None:
    authority, other = world.account(AUTHORITY, 0), world.account(OTHER, 0)
    issuance.offer_authority(other, sender=authority)
    issuance.offer_authority(world.address_text(bytes(20)), sender=authority)
    with boa.reverts("offer"):
        issuance.accept_authority(sender=other)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"genesis": RESERVE - 1}, "genesis"), ({"authority": bytes(20)}, "authority")],
)
def test_a_wrong_start_is_refused(burner: Any, changed: dict[str, Any], reason: str) -> None:
    authority = world.address_text(changed.get("authority", AUTHORITY.address))
    founder = world.account(OTHER)
    with boa.reverts(reason):
        world.load(
            "Issuance",
            authority,
            burner.address,
            changed.get("genesis", GENESIS),
            value=RESERVE,
            sender=founder,
        )


def test_a_burner_without_code_is_refused() -> None:
    with boa.reverts("burner"):
        world.load("Issuance", world.account(AUTHORITY, 0), world.account(OTHER), GENESIS)


class Supply(RuleBasedStateMachine):
    """Any releases and burns: supply = what all accounts but the sinks hold."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.burner = world.load("Burner")
        self.issuance = deploy(self.burner, 1_000, 5_000)
        self.holder = world.account(OTHER, 4_000)
        self.released = self.burned = 0

    @rule(amount=st.integers(0, 1_500))
    def release(self, amount: int) -> None:
        authority = world.address_text(AUTHORITY.address)
        if 0 < amount <= 1_000 - self.released:
            self.issuance.release(self.holder, amount, REASON, sender=authority)
            self.released += amount
        else:
            with boa.reverts("amount"):
                self.issuance.release(self.holder, amount, REASON, sender=authority)

    @rule(amount=st.integers(0, 500), reason=st.sampled_from([REASON, bytes(32)]))
    def burn(self, amount: int, reason: bytes) -> None:
        amount = min(amount, boa.env.get_balance(self.holder))
        self.burner.burn(reason, value=amount, sender=self.holder)
        self.burned += amount

    @rule(amount=st.integers(1, 50))
    def force(self, amount: int) -> None:
        amount = min(amount, boa.env.get_balance(self.holder))
        boa.env.set_balance(self.holder, boa.env.get_balance(self.holder) - amount)
        boa.env.set_balance(self.burner.address, boa.env.get_balance(self.burner.address) + amount)
        assert self.burner.count_forced() == amount
        self.burned += amount

    @invariant()
    def exact(self) -> None:
        assert self.issuance.supply() == boa.env.get_balance(self.holder)
        assert self.issuance.supply() == 5_000 - 1_000 + self.released - self.burned
        assert boa.env.get_balance(self.issuance.address) == self.issuance.remaining()
        assert self.burner.total_burned() == boa.env.get_balance(self.burner.address)

    def teardown(self) -> None:
        self.anchor.__exit__(None, None, None)


TestSupply = Supply.TestCase
TestSupply.settings = settings(max_examples=8, stateful_step_count=15)
