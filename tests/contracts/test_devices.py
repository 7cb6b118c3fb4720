"""Devices: permits bind every field, states change by the owner alone, history is the core's."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from opendepin.chain.storage import map_slot
from opendepin.core import identity
from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key, N
from opendepin.dims.identity import permits
from tests.contracts import world
from tests.contracts.registry import DESCRIPTION, HOUR, Registry

OWNER = Key.from_seed(b"owner")
OTHER = Key.from_seed(b"somebody else")
DEVICE = Key.from_seed(b"device")
NEW_KEY = Key.from_seed(b"new key")
LATER_KEY = Key.from_seed(b"later key")
FEE_REASON = b"device-fee".ljust(32, b"\0")
TOKEN = permits.token(DEVICE.address)


@pytest.fixture
def registry(devices: Any) -> Registry:
    return Registry(devices)


@pytest.fixture
def device(registry: Registry) -> bytes:
    return registry.register(OWNER, DEVICE)


def high_s(signature: bytes) -> bytes:
    """The other form of a signature, which says the same to who does not look."""
    s = N - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def test_registers_and_tells_all_about_it(registry: Registry, burner: Any) -> None:
    before = burner.burned(FEE_REASON)
    sender = world.account(OTHER)
    device = registry.send(
        "register", registry.registration(OWNER, DEVICE), value=world.FEE + 5, sender=sender
    )
    contract = registry.contract
    event = next(e for e in contract.get_logs() if type(e).__name__ == "KeyChanged")
    assert device == TOKEN
    record = contract.device(TOKEN)
    assert (record.status, record.project, record.index) == (1, 1, 0)
    assert b"".join(record.key) == DEVICE.public
    assert record.since == boa.env.evm.patch.block_number
    assert contract.ownerOf(TOKEN) == world.address_text(OWNER.address)
    assert contract.device_at(1, 0) == TOKEN
    assert contract.metadata_hash(TOKEN) == DESCRIPTION
    assert (event.device, event.project, event.index, event.status) == (TOKEN, 1, 0, 1)
    assert event.key_x + event.key_y == DEVICE.public
    assert event.history == contract.history(TOKEN)
    assert boa.env.get_balance(sender) == world.RICH - world.FEE
    assert burner.burned(FEE_REASON) - before == world.FEE * world.BURN_BPS // 10_000
    assert contract.nonces(world.address_text(OWNER.address)) == 1


ALTERED_REGISTER = [
    ({"project": 2}, "owner signature"),
    ({"owner": OTHER.address}, "owner signature"),
    ({"key": (NEW_KEY.public[:32], DEVICE.public[32:])}, "owner signature"),
    ({"key": (DEVICE.public[:32], NEW_KEY.public[32:])}, "owner signature"),
    ({"metadata_hash": bytes(32)}, "owner signature"),
    ({"deadline": 10**12}, "owner signature"),
]


@pytest.mark.parametrize(("changed", "reason"), ALTERED_REGISTER)
def test_a_changed_field_of_a_registration_is_refused(
    registry: Registry, projects: Any, changed: dict[str, Any], reason: str
) -> None:
    projects.register("second", bytes(32), value=world.FEE)
    call = registry.registration(OWNER, DEVICE)._replace(**changed)
    with boa.reverts(reason):
        registry.send("register", call, value=world.FEE)


@pytest.mark.parametrize(("changed", "reason"), ALTERED_REGISTER)
def test_an_owner_alone_cannot_change_what_the_device_signed(
    registry: Registry, projects: Any, changed: dict[str, Any], reason: str
) -> None:
    projects.register("second", bytes(32), value=world.FEE)
    call = registry.registration(OWNER, DEVICE)._replace(**changed, owner_signature=b"")
    sender = world.account(OTHER if "owner" in changed else OWNER)
    with boa.reverts("key signature"):
        registry.send("register", call, value=world.FEE, sender=sender)


def test_the_nonce_is_bound_and_used_once(registry: Registry) -> None:
    first = registry.registration(OWNER, DEVICE)
    second = registry.registration(OWNER, NEW_KEY)
    registry.send("register", first, value=world.FEE)
    for call in (first, second):
        with boa.reverts("owner signature"):
            registry.send("register", call, value=world.FEE)


@pytest.mark.parametrize("field", ["chain_id", "registry"])
def test_a_permit_of_another_domain_is_refused(registry: Registry, field: str) -> None:
    other = {"chain_id": registry.domain.chain_id + 1, "registry": OTHER.address}[field]
    domain = permits.Domain(**{**vars(registry.domain), field: other})
    good = registry.registration(OWNER, DEVICE)
    permit = permits.Register(1, OWNER.address, DEVICE.public, DESCRIPTION, 0, good.deadline)
    call = permits.register_permit(domain, permit, OWNER, DEVICE)
    with boa.reverts("owner signature"):
        registry.send("register", call, value=world.FEE)
    with boa.reverts("key signature"):
        registry.send(
            "register", good._replace(device_signature=call.device_signature), value=world.FEE
        )
    registry.send("register", good, value=world.FEE)


def test_domain_and_digests_are_those_of_the_permits(registry: Registry) -> None:
    assert registry.contract.DOMAIN_SEPARATOR() == registry.domain.separator()


def test_a_permit_holds_up_to_its_deadline(registry: Registry) -> None:
    call = registry.registration(OWNER, DEVICE)
    with boa.env.anchor():
        boa.env.time_travel(seconds=HOUR + 1)
        with boa.reverts("deadline"):
            registry.send("register", call, value=world.FEE)
    boa.env.time_travel(seconds=HOUR)
    registry.send("register", call, value=world.FEE)


@pytest.mark.parametrize("field", ["owner_signature", "device_signature"])
@pytest.mark.parametrize("wrong", ["empty", "short", "long", "high-s", "v", "zero", "other"])
def test_a_signature_in_any_other_form_is_refused(
    registry: Registry, field: str, wrong: str
) -> None:
    call = registry.registration(OWNER, DEVICE)
    good: bytes = getattr(call, field)
    forms = {
        "empty": b"",
        "short": good[:64],
        "long": good + b"\0",
        "high-s": high_s(good),
        "v": good[:64] + bytes([good[64] - 27]),
        "zero": bytes(64) + bytes([27]),
        "other": OTHER.sign_recoverable(b"\1" * 32),
    }
    if (field, wrong) == ("device_signature", "long"):
        with pytest.raises(Exception, match=r"."):
            registry.send("register", call._replace(**{field: forms[wrong]}), value=world.FEE)
        return
    with boa.reverts("owner signature" if field == "owner_signature" else "key signature"):
        registry.send("register", call._replace(**{field: forms[wrong]}), value=world.FEE)


def test_one_wei_below_the_fee_is_refused(registry: Registry) -> None:
    call = registry.registration(OWNER, DEVICE)
    with boa.reverts("fee"):
        registry.send("register", call, value=world.FEE - 1)


@pytest.mark.parametrize("project", [0, 2])
def test_a_project_that_does_not_exist_is_refused(registry: Registry, project: int) -> None:
    call = registry.registration(OWNER, DEVICE, project)
    with boa.reverts("project"):
        registry.send("register", call, value=world.FEE)


def test_a_key_is_taken_once(registry: Registry, device: bytes) -> None:
    with boa.reverts("key is not fresh"):
        registry.register(OTHER, DEVICE)
    registry.rotate(OWNER, device, NEW_KEY)
    for key in (DEVICE, NEW_KEY):
        with boa.reverts("key is not fresh"):
            registry.register(OWNER, key)
        with boa.reverts("key is not fresh"):
            registry.rotate(OWNER, device, key)


def test_indices_run_per_project(registry: Registry, projects: Any) -> None:
    projects.register("second", bytes(32), value=world.FEE)
    for number, project in enumerate([1, 2, 1, 2, 2]):
        registry.register(OWNER, Key.from_seed(b"%d" % number), project)
    contract = registry.contract
    found = [
        contract.device(contract.device_at(p, i)).index
        for p, n in ((1, 2), (2, 3))
        for i in range(n)
    ]
    assert found == [0, 1, 0, 1, 2]
    assert (contract.device_count(1), contract.device_count(2), contract.total_devices()) == (
        2,
        3,
        5,
    )
    assert contract.device_at(1, 2) == 0


def test_the_last_index_is_below_the_limit(registry: Registry) -> None:
    contract, call = registry.contract, registry.registration(OWNER, DEVICE)
    layout = contract.compiler_data.storage_layout["storage_layout"]
    counter = map_slot(layout["device_count"]["slot"], 1)
    boa.env.set_storage(contract.address, counter, 1 << 20)
    with boa.reverts("project is full"):
        registry.send("register", call, value=world.FEE)
    boa.env.set_storage(contract.address, counter, (1 << 20) - 1)
    registry.send("register", call, value=world.FEE)
    assert contract.device(TOKEN).index == (1 << 20) - 1
    assert contract.device_count(1) == 1 << 20


def test_rotates_and_keeps_the_rest(registry: Registry, device: bytes) -> None:
    boa.env.time_travel(blocks=3)
    registry.rotate(OWNER, device, NEW_KEY)
    record = registry.contract.device(TOKEN)
    assert b"".join(record.key) == NEW_KEY.public
    assert (record.status, record.project, record.index) == (1, 1, 0)
    assert record.since == boa.env.evm.patch.block_number
    assert registry.contract.active_count(1) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"key": (LATER_KEY.public[:32], NEW_KEY.public[32:])},
        {"key": (NEW_KEY.public[:32], LATER_KEY.public[32:])},
        {"deadline": 10**12},
    ],
)
def test_a_changed_field_of_a_rotation_is_refused(
    registry: Registry, device: bytes, changed: dict[str, Any]
) -> None:
    call = registry.rotation(OWNER, device, NEW_KEY)._replace(**changed)
    with boa.reverts("owner signature"):
        registry.send("rotate", call)
    with boa.reverts("key signature"):
        registry.send("rotate", call._replace(owner_signature=b""), sender=world.account(OWNER))


def test_a_rotation_is_bound_to_its_device_and_nonce(registry: Registry, device: bytes) -> None:
    second = registry.register(OWNER, OTHER)
    call = registry.rotation(OWNER, device, NEW_KEY)
    with boa.reverts("owner signature"):
        registry.send("rotate", call._replace(device=permits.token(second)))
    later = registry.rotation(OWNER, device, LATER_KEY)
    registry.send("rotate", call)
    for stale in (call, later):
        with boa.reverts("owner signature"):
            registry.send("rotate", stale)


def test_a_rotation_needs_owner_and_new_key(registry: Registry, device: bytes) -> None:
    call = registry.rotation(OWNER, device, NEW_KEY)
    by_old_key = registry.rotation(OWNER, device, DEVICE)
    with boa.reverts("key signature"):
        registry.send("rotate", call._replace(key_signature=by_old_key.key_signature))
    with boa.reverts("owner signature"):
        registry.send("rotate", registry.rotation(DEVICE, device, NEW_KEY))
    with boa.reverts("owner signature"):
        registry.send("rotate", registry.rotation(world.PROJECT_OWNER, device, NEW_KEY))


def test_suspends_resumes_and_revokes(registry: Registry, device: bytes) -> None:
    contract = registry.contract
    for status, active in ((2, 0), (1, 1), (2, 0), (3, 0)):
        registry.set_status(OWNER, device, Status(status))
        assert contract.device(TOKEN).status == status
        assert (contract.active_count(1), contract.total_active()) == (active, active)
        assert (contract.device_count(1), contract.total_devices()) == (1, 1)


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.SUSPENDED, Status.REVOKED])
def test_a_revoked_device_stays_revoked(registry: Registry, device: bytes, status: Status) -> None:
    registry.set_status(OWNER, device, Status.REVOKED)
    with boa.reverts("revoked"):
        registry.set_status(OWNER, device, status)
    with boa.reverts("revoked"):
        registry.rotate(OWNER, device, NEW_KEY)


@pytest.mark.parametrize("status", [0, 1, 4, 255])
def test_no_change_and_no_such_state_are_refused(
    registry: Registry, device: bytes, status: int
) -> None:
    call = registry.change(OWNER, device, Status.SUSPENDED)._replace(status=status)
    with boa.reverts("status"):
        registry.send("set_status", call)


def test_a_changed_field_of_a_status_permit_is_refused(registry: Registry, device: bytes) -> None:
    second = registry.register(OWNER, OTHER)
    call = registry.change(OWNER, device, Status.SUSPENDED)
    changes: list[dict[str, Any]] = [
        {"status": 3},
        {"deadline": 10**12},
        {"device": permits.token(second)},
    ]
    for changed in changes:
        with boa.reverts("owner signature"):
            registry.send("set_status", call._replace(**changed))
    registry.send("set_status", call)
    registry.set_status(OWNER, device, Status.ACTIVE)
    with boa.reverts("owner signature"):
        registry.send("set_status", call)


def test_late_permits_over_a_device_are_refused(registry: Registry, device: bytes) -> None:
    status = registry.change(OWNER, device, Status.SUSPENDED)
    rotation = registry.rotation(OWNER, device, NEW_KEY)
    boa.env.time_travel(seconds=HOUR + 1)
    with boa.reverts("deadline"):
        registry.send("set_status", status)
    with boa.reverts("deadline"):
        registry.send("rotate", rotation)


def test_an_unknown_device_is_refused(registry: Registry) -> None:
    with boa.reverts("device"):
        registry.set_status(OWNER, DEVICE.address, Status.SUSPENDED)
    with boa.reverts("device"):
        registry.rotate(OWNER, DEVICE.address, NEW_KEY)


def test_the_owner_may_send_without_signing_and_nobody_else(registry: Registry) -> None:
    registration = registry.registration(OWNER, DEVICE, by_sender=True)
    with boa.reverts("owner signature"):
        registry.send("register", registration, value=world.FEE, sender=world.account(OTHER))
    owner = world.account(OWNER)
    registry.send("register", registration, value=world.FEE, sender=owner)
    change = registry.change(None, DEVICE.address, Status.SUSPENDED)
    with boa.reverts("owner signature"):
        registry.send("set_status", change, sender=world.account(world.PROJECT_OWNER))
    registry.send("set_status", change, sender=owner)
    registry.send("rotate", registry.rotation(None, DEVICE.address, NEW_KEY), sender=owner)


def test_rights_follow_the_token(registry: Registry, device: bytes) -> None:
    contract = registry.contract
    stale = registry.change(OWNER, device, Status.REVOKED)
    owner, other = world.account(OWNER), world.account(OTHER)
    contract.transferFrom(owner, other, TOKEN, sender=owner)
    with boa.reverts("owner signature"):
        registry.set_status(OWNER, device, Status.SUSPENDED)
    registry.set_status(OTHER, device, Status.SUSPENDED)
    registry.rotate(OTHER, device, NEW_KEY)
    contract.transferFrom(other, owner, TOKEN, sender=other)
    with boa.reverts("owner signature"):
        registry.send("set_status", stale)


def test_a_permit_of_before_a_round_trip_is_void(registry: Registry, device: bytes) -> None:
    stale = registry.change(OWNER, device, Status.REVOKED)
    owner, other = world.account(OWNER), world.account(OTHER)
    registry.contract.transferFrom(owner, other, TOKEN, sender=owner)
    registry.contract.transferFrom(other, owner, TOKEN, sender=other)
    with boa.reverts("owner signature"):
        registry.send("set_status", stale)


def test_a_projects_owner_has_no_right_over_its_devices(registry: Registry, device: bytes) -> None:
    project_owner = world.account(world.PROJECT_OWNER)
    with boa.reverts("owner signature"):
        registry.set_status(world.PROJECT_OWNER, device, Status.SUSPENDED)
    with boa.reverts("owner"):
        registry.contract.transferFrom(
            world.account(OWNER), project_owner, TOKEN, sender=project_owner
        )


def test_a_contract_may_own_a_device(registry: Registry) -> None:
    vault = world.load("mocks/Vault")
    owner, contract = vault.address.canonical_address, registry.contract
    permit = permits.Register(1, owner, DEVICE.public, DESCRIPTION, 0, boa.env.timestamp + HOUR)
    digest = registry.domain.digest(permit.struct_hash())
    call = permits.register_permit(registry.domain, permit, OWNER, DEVICE)
    call = call._replace(owner_signature=b"in the vault's own form" * 8)
    for answer in (bytes(4), b"\xff" * 4):
        vault.expect(digest, answer)
        with boa.reverts("owner signature"):
            registry.send("register", call, value=world.FEE)
    vault.expect(bytes(32), bytes.fromhex("1626ba7e"))
    with boa.reverts("owner signature"):
        registry.send("register", call, value=world.FEE)
    vault.expect(digest, bytes.fromhex("1626ba7e"))
    registry.send("register", call, value=world.FEE)
    assert contract.ownerOf(TOKEN) == vault.address


def test_a_contract_without_a_judgement_agrees_to_nothing(registry: Registry, burner: Any) -> None:
    owner = burner.address.canonical_address
    permit = permits.Register(1, owner, DEVICE.public, DESCRIPTION, 0, boa.env.timestamp + HOUR)
    call = permits.register_permit(registry.domain, permit, OWNER, DEVICE)
    with boa.reverts("owner signature"):
        registry.send("register", call, value=world.FEE)


def test_nobody_is_no_owner(registry: Registry) -> None:
    permit = permits.Register(1, bytes(20), DEVICE.public, DESCRIPTION, 0, boa.env.timestamp + HOUR)
    call = permits.register_permit(registry.domain, permit, None, DEVICE)
    with boa.reverts("owner signature"):
        registry.send("register", call._replace(owner_signature=bytes(65)), value=world.FEE)


def test_history_is_the_cores_accumulator(registry: Registry) -> None:
    history: list[KeyChange] = []

    def note(status: Status, key: Key) -> None:
        block = boa.env.evm.patch.block_number
        history.append(KeyChange(DEVICE.address, status, 1, 0, key.public, block))
        assert registry.contract.history(TOKEN) == identity.accumulate(history)
        boa.env.time_travel(blocks=2)

    assert registry.contract.history(TOKEN) == identity.NO_HISTORY
    device = registry.register(OWNER, DEVICE)
    note(Status.ACTIVE, DEVICE)
    registry.set_status(OWNER, device, Status.SUSPENDED)
    note(Status.SUSPENDED, DEVICE)
    registry.rotate(OWNER, device, NEW_KEY)
    note(Status.SUSPENDED, NEW_KEY)
    registry.set_status(OWNER, device, Status.ACTIVE)
    note(Status.ACTIVE, NEW_KEY)
    registry.set_status(OWNER, device, Status.REVOKED)
    note(Status.REVOKED, NEW_KEY)


def test_a_token_moved_leaves_the_history_alone(registry: Registry, device: bytes) -> None:
    before = registry.contract.history(TOKEN)
    owner = world.account(OWNER)
    registry.contract.transferFrom(owner, world.account(OTHER), TOKEN, sender=owner)
    assert registry.contract.history(TOKEN) == before
