"""Device pay: pulled by Merkle path under the contract's root, once, to the device's owner."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opendepin.core.identity import Status
from opendepin.core.keys import Key
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Settling

UNITS = (1, 2, 3)
OWNER = world.address_text(s.DEVICE_OWNER.address)


@pytest.fixture
def settled(settling: Settling) -> s.Opened:
    """A settled task of three devices of one owner, who has no money yet."""
    settling.register_devices()
    opened, _ = settling.settled((9, 8, *UNITS))
    boa.env.set_balance(OWNER, 0)
    return opened


def test_anyone_claims_for_the_owner_once(settling: Settling, settled: s.Opened) -> None:
    device = settling.registry.contract.device_at(1, 1)
    settling.claim(settled, 1, UNITS, sender=world.account(s.STRANGER))
    (event,) = settling.events(settling.settlement, "DevicePaid")
    assert (event.task, event.device_index, event.device) == (settled.id, 1, device)
    assert (event.owner, event.amount) == (OWNER, 2 * s.UNIT_RATE)
    assert boa.env.get_balance(OWNER) == 2 * s.UNIT_RATE
    assert settling.escrow.held(settled.id) == 4 * s.UNIT_RATE
    assert settling.settlement.claimed(settled.id, 1)
    assert not settling.settlement.claimed(settled.id, 0)
    with boa.reverts("claimed"):
        settling.claim(settled, 1, UNITS)
    settling.claim(settled, 0, UNITS)
    settling.claim(settled, 2, UNITS)
    assert boa.env.get_balance(OWNER) == 6 * s.UNIT_RATE
    assert settling.escrow.held(settled.id) == 0


@given(units=st.lists(st.integers(0, 3), min_size=1, max_size=40).filter(any), data=st.data())
@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_every_path_of_the_ground_is_taken(settling: Settling, units: list[int], data: Any) -> None:
    index = data.draw(st.sampled_from([i for i, each in enumerate(units) if each]))
    with boa.env.anchor():
        verifier = world.load("mocks/StatementVerifier", len(units), 0)
        settling.register_program(
            (b"\x0a" * 32,) * 3, verifier=verifier.address, pay_offset=0, pay_count=len(units)
        )
        settling.register_devices(index + 1)
        opened, producer = settling.assigned(256)
        settling.settle(opened, units, producer)
        boa.env.set_balance(OWNER, 0)
        path = s.pay_path(opened.id, units, index)
        for wrong in ([*path, bytes(32)], path[:-1], [bytes(32), *path[1:]]):
            if wrong != path and len(wrong) <= 8:
                with boa.reverts("path"):
                    settling.settlement.claim(opened.id, index, units[index], wrong)
        settling.claim(opened, index, units)
        assert boa.env.get_balance(OWNER) == units[index] * s.UNIT_RATE


def test_a_leaf_is_bound_to_task_index_and_units(settling: Settling, settled: s.Opened) -> None:
    path = s.pay_path(settled.id, UNITS, 1)
    for index, units in ((1, 1), (1, 3), (0, 2), (2, 2)):
        with boa.reverts("path"):
            settling.settlement.claim(settled.id, index, units, path)
    other, _ = settling.settled((9, 8, 1, 2, 2))
    with boa.reverts("path"):
        settling.settlement.claim(other.id, 1, 2, path)
    settling.settlement.claim(settled.id, 1, 2, path)


def test_a_node_of_the_tree_is_no_leaf(settling: Settling, settled: s.Opened) -> None:
    leaves = s.pay_leaves(settled.id, UNITS)
    with boa.reverts("path"):
        settling.settlement.claim(settled.id, 2, 3, [s.pay_root(settled.id, UNITS)])
    with boa.reverts("path"):
        settling.settlement.claim(settled.id, 2, 3, leaves[:2])


def test_an_index_outside_the_tree_is_refused(settling: Settling, settled: s.Opened) -> None:
    path = s.pay_path(settled.id, UNITS, 1)
    for index in (3, 256, 2**256 - 1):
        with boa.reverts("index"):
            settling.settlement.claim(settled.id, index, 2, path)
        assert not settling.settlement.claimed(settled.id, index)


def test_nothing_is_claimed_before_settling(settling: Settling) -> None:
    settling.register_devices()
    opened, _ = settling.assigned()
    with boa.reverts("state"):
        settling.claim(opened, 1, UNITS)
    s.seconds(s.WINDOW + s.RECALL_DELAY + 1)
    settling.settlement.recall(opened.id, sender=settling.owner)
    with boa.reverts("state"):
        settling.claim(opened, 1, UNITS)


def test_no_units_no_pay(settling: Settling) -> None:
    settling.register_devices()
    opened, _ = settling.settled((9, 8, 0, 2, 3))
    with boa.reverts("units"):
        settling.claim(opened, 0, (0, 2, 3))
    settling.claim(opened, 1, (0, 2, 3))


def test_pay_without_a_device_stays_held(settling: Settling) -> None:
    settling.register_devices(2)
    opened, _ = settling.settled((9, 8, *UNITS))
    with boa.reverts("device"):
        settling.claim(opened, 2, UNITS)
    settling.claim(opened, 1, UNITS)
    assert settling.escrow.held(opened.id) == 4 * s.UNIT_RATE
    settling.register_devices(1)
    settling.claim(opened, 2, UNITS)


def test_pay_of_a_revoked_device_stays_held(settling: Settling, settled: s.Opened) -> None:
    revoked, suspended = (settling.registry.contract.device_at(1, i).to_bytes(20) for i in (0, 1))
    settling.registry.set_status(s.DEVICE_OWNER, revoked, Status.REVOKED)
    settling.registry.set_status(s.DEVICE_OWNER, suspended, Status.SUSPENDED)
    with boa.reverts("revoked"):
        settling.claim(settled, 0, UNITS)
    settling.claim(settled, 1, UNITS)
    assert settling.escrow.held(settled.id) == 4 * s.UNIT_RATE


def test_pay_goes_to_who_owns_the_device_now(settling: Settling, settled: s.Opened) -> None:
    buyer = world.account(Key.from_seed(b"buyer"), 0)
    devices = settling.registry.contract
    devices.transferFrom(OWNER, buyer, devices.device_at(1, 2), sender=OWNER)
    settling.claim(settled, 2, UNITS)
    assert boa.env.get_balance(buyer) == 3 * s.UNIT_RATE


def test_an_owner_that_refuses_money_stops_nobody_else(
    settling: Settling, settled: s.Opened
) -> None:
    wallet, devices = world.load("mocks/Wallet"), settling.registry.contract
    devices.transferFrom(OWNER, wallet.address, devices.device_at(1, 0), sender=OWNER)
    wallet.behave(True, wallet.address, b"")
    with pytest.raises(boa.BoaError):
        settling.claim(settled, 0, UNITS)
    settling.claim(settled, 1, UNITS)
    settling.claim(settled, 2, UNITS)
    assert settling.escrow.held(settled.id) == s.UNIT_RATE


@pytest.mark.parametrize("index", [0, 1])
def test_an_owner_cannot_claim_again_while_it_is_paid(
    settling: Settling, settled: s.Opened, index: int
) -> None:
    wallet, devices = world.load("mocks/Wallet"), settling.registry.contract
    for each in (0, 1):
        devices.transferFrom(OWNER, wallet.address, devices.device_at(1, each), sender=OWNER)
    path = s.pay_path(settled.id, UNITS, index)
    again = settling.settlement.claim.prepare_calldata(settled.id, index, UNITS[index], path)
    wallet.behave(False, settling.settlement.address, again)
    settling.claim(settled, 0, UNITS)
    assert not wallet.inner_ok()
    assert boa.env.get_balance(wallet.address) == s.UNIT_RATE
    assert settling.escrow.held(settled.id) == 5 * s.UNIT_RATE
