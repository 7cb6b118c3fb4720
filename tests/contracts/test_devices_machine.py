"""Any sequence of calls over devices: counters, owners, keys and histories equal a model's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import boa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from opendepin.core import identity
from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key
from opendepin.dims.identity import permits
from tests.contracts import world
from tests.contracts.registry import Registry

OWNERS = tuple(Key.from_seed(b"owner %d" % i) for i in range(3))
KEYS = tuple(Key.from_seed(b"key %d" % i) for i in range(9))
PROJECTS = (1, 2)


@dataclass
class Model:
    """What the contract should hold."""

    owner: dict[bytes, Key] = field(default_factory=dict)
    history: dict[bytes, list[KeyChange]] = field(default_factory=dict)
    used: set[bytes] = field(default_factory=set)

    def devices_of(self, project: int) -> list[KeyChange]:
        """The present states of a project's devices."""
        return [h[-1] for h in self.history.values() if h[-1].project == project]


class DevicesMachine(RuleBasedStateMachine):
    """Drives the contract and the model by the same calls, wrong ones among them."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        boa.env.set_balance(boa.env.eoa, world.RICH)
        self.burner = world.load("Burner")
        projects = world.deploy_projects(self.burner)
        projects.register("second", bytes(32), value=world.FEE)
        self.burned_before = self.burner.total_burned()
        self.registry = Registry(world.deploy_devices(projects, self.burner))
        self.model = Model()

    def teardown(self) -> None:
        """Leave the EVM as it was."""
        self.anchor.__exit__(None, None, None)

    def any_device(self, at: int) -> bytes:
        """Pick one of the registered devices."""
        return list(self.model.owner)[at % len(self.model.owner)]

    @rule(blocks=st.integers(1, 5))
    def wait(self, blocks: int) -> None:
        """Let blocks pass."""
        boa.env.time_travel(blocks=blocks)

    @rule(
        owner=st.sampled_from(OWNERS), key=st.sampled_from(KEYS), project=st.sampled_from([1, 2, 3])
    )
    def register(self, owner: Key, key: Key, project: int) -> None:
        """Register; refused where key or project will not do."""
        if key.address in self.model.used:
            with boa.reverts("key is not fresh"):
                self.registry.register(owner, key, project)
        elif project not in PROJECTS:
            with boa.reverts("project"):
                self.registry.register(owner, key, project)
        else:
            index = len(self.model.devices_of(project))
            device = self.registry.register(owner, key, project, value=world.FEE + 3)
            self.model.owner[device] = owner
            self.model.used.add(key.address)
            self.note(KeyChange(device, Status.ACTIVE, project, index, key.public, 0))

    @precondition(lambda self: self.model.owner)
    @rule(at=st.integers(0, 8), key=st.sampled_from(KEYS))
    def rotate(self, at: int, key: Key) -> None:
        """Rotate; refused where the device is revoked or the key had."""
        device = self.any_device(at)
        owner, state = self.model.owner[device], self.model.history[device][-1]
        refusal = "revoked" if state.status is Status.REVOKED else "key is not fresh"
        if state.status is Status.REVOKED or key.address in self.model.used:
            with boa.reverts(refusal):
                self.registry.rotate(owner, device, key)
            return
        self.registry.rotate(owner, device, key)
        self.model.used.add(key.address)
        self.note(KeyChange(device, state.status, state.project, state.index, key.public, 0))

    @precondition(lambda self: self.model.owner)
    @rule(at=st.integers(0, 8), status=st.sampled_from(Status), by=st.sampled_from([None, *OWNERS]))
    def set_status(self, at: int, status: Status, by: Key | None) -> None:
        """Change a status by the owner or by somebody else."""
        device = self.any_device(at)
        owner, state = self.model.owner[device], self.model.history[device][-1]
        signer = by or owner
        if state.status is Status.REVOKED:
            refusal = "revoked"
        elif status is state.status:
            refusal = "status"
        else:
            refusal = "" if signer is owner else "owner signature"
        if refusal:
            with boa.reverts(refusal):
                self.registry.set_status(signer, device, status)
            return
        self.registry.set_status(signer, device, status)
        self.note(KeyChange(device, status, state.project, state.index, state.public, 0))

    @precondition(lambda self: self.model.owner)
    @rule(at=st.integers(0, 8), to=st.sampled_from(OWNERS))
    def transfer(self, at: int, to: Key) -> None:
        """Move a device's token."""
        device = self.any_device(at)
        sender = world.account(self.model.owner[device])
        receiver = world.address_text(to.address)
        self.registry.contract.transferFrom(sender, receiver, permits.token(device), sender=sender)
        self.model.owner[device] = to

    def note(self, change: KeyChange) -> None:
        """Add a change at the present height to the model."""
        entry = replace(change, from_block=boa.env.evm.patch.block_number)
        self.model.history.setdefault(change.device, []).append(entry)

    @invariant()
    def counters_are_exact(self) -> None:
        """Compare every counter with the model."""
        contract, history = self.registry.contract, self.model.history
        for project in (1, 2, 3):
            states = self.model.devices_of(project)
            active = [state for state in states if state.status is Status.ACTIVE]
            assert contract.device_count(project) == len(states)
            assert contract.active_count(project) == len(active)
        assert contract.total_devices() == len(history)
        assert contract.total_active() == sum(contract.active_count(p) for p in PROJECTS)
        for owner in OWNERS:
            owned = sum(o is owner for o in self.model.owner.values())
            assert contract.balanceOf(world.address_text(owner.address)) == owned

    @invariant()
    def states_are_exact(self) -> None:
        """Compare every device with the model."""
        contract = self.registry.contract
        for device, history in self.model.history.items():
            token, state = permits.token(device), history[-1]
            record = contract.device(token)
            found = (
                record.status,
                record.project,
                record.index,
                b"".join(record.key),
                record.since,
            )
            due = (state.status, state.project, state.index, state.public, state.from_block)
            assert found == due
            assert contract.history(token) == identity.accumulate(history)
            assert contract.device_at(state.project, state.index) == token
            assert contract.ownerOf(token) == world.address_text(self.model.owner[device].address)
        for key in KEYS:
            used = contract.key_used(world.address_text(key.address))
            assert used == (key.address in self.model.used)

    @invariant()
    def money_is_exact(self) -> None:
        """Every fee is burned or held, and nothing else."""
        contract, count = self.registry.contract, len(self.model.history)
        burned = count * (world.FEE * world.BURN_BPS // 10_000)
        assert self.burner.total_burned() - self.burned_before == burned
        assert contract.fees_held() == count * world.FEE - burned
        assert boa.env.get_balance(contract.address) == contract.fees_held()


TestDevices = DevicesMachine.TestCase
TestDevices.settings = settings(max_examples=8, stateful_step_count=20)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_devices_for_long() -> None:
    run_state_machine_as_test(
        DevicesMachine, settings=settings(max_examples=200, stateful_step_count=50)
    )
