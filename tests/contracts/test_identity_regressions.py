"""Faults found in an older identity registry, each shown not to be in this one."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from opendepin.core import identity
from opendepin.core.errors import Rejected
from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key
from opendepin.dims.identity import permits
from tests.contracts import world
from tests.contracts.registry import DESCRIPTION, HOUR, Registry

OWNER = Key.from_seed(b"owner")
THIEF = Key.from_seed(b"thief")
DEVICE = Key.from_seed(b"device")
NEW_KEY = Key.from_seed(b"new key")
TOKEN = permits.token(DEVICE.address)


@pytest.fixture
def registry(devices: Any) -> Registry:
    return Registry(devices)


def test_i1_a_seen_permit_cannot_be_sent_with_other_contents(registry: Registry) -> None:
    seen = registry.registration(OWNER, DEVICE)
    thief = world.account(THIEF)
    for changed in ({"metadata_hash": b"\7" * 32}, {"owner": THIEF.address}):
        with boa.reverts("owner signature"):
            registry.send("register", seen._replace(**changed), value=world.FEE, sender=thief)
    registry.send("register", seen, value=world.FEE, sender=thief)
    assert registry.contract.ownerOf(TOKEN) == world.address_text(OWNER.address)


def test_i1_a_permit_of_one_operation_is_none_of_another(registry: Registry) -> None:
    seen = registry.registration(OWNER, NEW_KEY)
    device = registry.register(OWNER, DEVICE)
    with boa.reverts("owner signature"):
        call = (TOKEN, seen.key, seen.deadline, seen.owner_signature, seen.device_signature)
        registry.send("rotate", call)
    with boa.reverts("owner signature"):
        registry.send("set_status", (TOKEN, 2, seen.deadline, seen.owner_signature))
    rotation = registry.rotation(OWNER, device, NEW_KEY)
    with boa.reverts("owner signature"):
        registry.send("set_status", (TOKEN, 2, rotation.deadline, rotation.owner_signature))


def test_i2_a_devices_signature_gives_a_stranger_no_right(registry: Registry) -> None:
    device = registry.register(OWNER, DEVICE)
    thief = world.account(THIEF)
    by_device = registry.change(DEVICE, device, Status.REVOKED)
    for call in (by_device, by_device._replace(owner_signature=b"")):
        with boa.reverts("owner signature"):
            registry.send("set_status", call, sender=thief)


def test_i3_a_device_key_alone_moves_and_changes_nothing(registry: Registry) -> None:
    device = registry.register(OWNER, DEVICE)
    by_device = world.account(DEVICE)
    owner = world.address_text(OWNER.address)
    with boa.reverts("owner"):
        registry.contract.transferFrom(owner, by_device, TOKEN, sender=by_device)
    with boa.reverts("owner signature"):
        registry.send("rotate", registry.rotation(None, device, NEW_KEY), sender=by_device)
    with boa.reverts("owner signature"):
        registry.send("rotate", registry.rotation(DEVICE, device, NEW_KEY), sender=by_device)
    with boa.reverts("owner signature"):
        registry.send("set_status", registry.change(None, device, Status.REVOKED), sender=by_device)
    assert registry.contract.ownerOf(TOKEN) == owner


def test_i4_a_key_rotates_and_old_blocks_keep_the_old_key(registry: Registry) -> None:
    device = registry.register(OWNER, DEVICE)
    first = boa.env.evm.patch.block_number
    boa.env.time_travel(blocks=10)
    registry.rotate(OWNER, device, NEW_KEY)
    changed = boa.env.evm.patch.block_number
    history = (
        KeyChange(device, Status.ACTIVE, 1, 0, DEVICE.public, first),
        KeyChange(device, Status.ACTIVE, 1, 0, NEW_KEY.public, changed),
    )
    assert registry.contract.history(TOKEN) == identity.accumulate(history)
    assert registry.contract.device_at(1, 0) == TOKEN
    assert identity.key_at(history, changed - 1, 1).public == DEVICE.public
    assert identity.key_at(history, changed, 1).public == NEW_KEY.public
    with pytest.raises(Rejected):
        identity.key_at(history, first - 1, 1)


def test_i5_a_revoked_device_is_counted_out_and_its_hardware_comes_back(registry: Registry) -> None:
    contract = registry.contract
    device = registry.register(OWNER, DEVICE)
    registry.set_status(OWNER, device, Status.REVOKED)
    assert (contract.device_count(1), contract.active_count(1)) == (1, 0)
    again = registry.register(OWNER, NEW_KEY)
    assert (contract.device_count(1), contract.active_count(1)) == (2, 1)
    assert (contract.device(permits.token(again)).index, contract.total_devices()) == (1, 2)
    with boa.reverts("key is not fresh"):
        registry.register(OWNER, DEVICE)


def test_i6_over_payment_comes_back_and_pages_are_by_index(registry: Registry) -> None:
    sender = world.account(THIEF)
    call = registry.registration(OWNER, DEVICE)
    registry.send("register", call, value=100 * world.FEE, sender=sender)
    assert boa.env.get_balance(sender) == world.RICH - world.FEE
    registry.register(OWNER, NEW_KEY)
    count = registry.contract.device_count(1)
    page = [registry.contract.device_at(1, index) for index in range(count)]
    assert page == [TOKEN, permits.token(NEW_KEY.address)]


@pytest.mark.parametrize("who", [world.PROJECT_OWNER, world.TREASURY, THIEF])
def test_i7_nobody_else_rewrites_an_identity(registry: Registry, who: Key) -> None:
    device = registry.register(OWNER, DEVICE)
    before = (registry.contract.history(TOKEN), registry.contract.total_devices())
    sender = world.account(who)
    with boa.reverts("owner signature"):
        registry.send("rotate", registry.rotation(None, device, NEW_KEY), sender=sender)
    with boa.reverts("owner signature"):
        registry.send("set_status", registry.change(None, device, Status.SUSPENDED), sender=sender)
    with boa.reverts("key is not fresh"):
        registry.register(who, DEVICE)
    assert (registry.contract.history(TOKEN), registry.contract.total_devices()) == before


@pytest.mark.parametrize("chain_id", [0, 1])
def test_i7_a_permit_without_the_chains_id_is_refused(registry: Registry, chain_id: int) -> None:
    domain = permits.Domain(chain_id, registry.domain.registry)
    deadline = boa.env.timestamp + HOUR
    permit = permits.Register(1, OWNER.address, DEVICE.public, DESCRIPTION, 0, deadline)
    if chain_id == registry.domain.chain_id:
        domain = permits.Domain(chain_id + 1, registry.domain.registry)
    call = permits.register_permit(domain, permit, OWNER, DEVICE)
    with boa.reverts("owner signature"):
        registry.send("register", call, value=world.FEE)
    assert registry.contract.total_devices() == 0


def test_i10_the_fees_share_is_burned_in_the_same_transaction(
    registry: Registry, burner: Any
) -> None:
    authority = world.account(world.TREASURY)
    issuance = world.load("Issuance", authority, burner.address, world.RICH)
    before = issuance.supply()
    registry.register(OWNER, DEVICE)
    events = [type(event).__name__ for event in registry.contract.get_logs()]
    assert "Burned" in events
    assert issuance.supply() == before - world.FEE * world.BURN_BPS // 10_000
