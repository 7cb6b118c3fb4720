"""The nonces of permits after a command that was killed while its registrations waited."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from opendepin.chain.errors import Reverted
from opendepin.chain.outbox import Intent, Outcome, State
from opendepin.core import keys
from opendepin.core.keys import Key
from opendepin.dims.identity import permits
from opendepin.network.registering import Registrar, Registration

DONE = Outcome(State.DONE, bytes(32), 1, 0, "")
OWNER, OTHER = Key.from_seed(b"\1" * 32), Key.from_seed(b"\2" * 32)
DEVICES = [Key.from_seed(bytes([3, number]) * 16) for number in range(4)]


class Ledger:
    """An outbox and the registry behind it: waiting for an intent makes it happen."""

    def __init__(self, waiting: dict[str, Any], done: set[str]) -> None:
        self.waiting, self.done = waiting, done
        self.nonces = {OWNER.address: len(done), OTHER.address: 0}
        self.used: list[tuple[bytes, int]] = []

    def open_keys(self, *beginnings: str) -> list[str]:
        return [key for key in self.waiting if key.startswith(beginnings)]

    def state(self, key: str) -> State | None:
        return State.DONE if key in self.done else None

    def submit(self, intent: Intent) -> State:
        owner, nonce = intent.data
        self.used.append((owner, nonce))  # pyright: ignore[reportArgumentType]
        self.waiting[intent.key] = owner
        return State.QUEUED

    async def wait(self, key: str) -> Outcome:
        owner = self.waiting.pop(key, None)
        if owner == b"refused":
            raise Reverted("expired")
        if owner is not None:
            self.nonces[owner] += 1
            self.done.add(key)
        return DONE


def registrar(ledger: Ledger) -> Registrar:
    """Return a registrar whose call data is owner and nonce, by the owner's signature."""
    domain = permits.Domain(1, bytes(20))

    def data(_name: str, *call: Any) -> Any:
        project, owner, key, about, deadline, signature, _ = call
        for nonce in range(len(DEVICES)):
            permit = permits.Register(project, owner, b"".join(key), about, nonce, deadline)
            if keys.recover(domain.digest(permit.struct_hash()), signature) == owner:
                return owner, nonce
        raise AssertionError("no nonce was signed")

    def view(_name: str, owner: bytes, **_: Any) -> bytes:
        return owner

    async def call(owner: bytes) -> int:
        return ledger.nonces[owner]

    devices = SimpleNamespace(address=bytes(20), data=data, call=view)
    parts: Any = SimpleNamespace(
        contract=lambda _name: devices,
        genesis=SimpleNamespace(chain_id=1),
        chain=SimpleNamespace(call=call),
        settings=SimpleNamespace(identity=SimpleNamespace(device_fee="1")),
        clock=SimpleNamespace(now_s=lambda: 0),
    )
    outbox: Any = ledger
    return Registrar(parts, outbox)


def key_of(device: Key) -> str:
    return f"device/1/{device.address.hex()}"


def register(ledger: Ledger) -> list[tuple[bytes, Outcome]]:
    owners = [OWNER, OWNER, OTHER, OWNER]
    wanted = [Registration(d, o) for d, o in zip(DEVICES, owners, strict=True)]
    return asyncio.run(registrar(ledger).register_devices(1, wanted))


def test_permits_of_an_owner_build_on_each_other() -> None:
    ledger = Ledger({}, set())
    found = register(ledger)
    assert [device for device, _ in found] == [each.address for each in DEVICES]
    assert ledger.used == [(OWNER.address, 0), (OWNER.address, 1), (OTHER.address, 0),
                           (OWNER.address, 2)]  # fmt: skip


def test_nonces_go_on_behind_what_a_killed_command_left() -> None:
    left = {key_of(DEVICES[1]): OWNER.address, "status/x": b"refused", "claim/x": b"refused"}
    ledger = Ledger(left, {key_of(DEVICES[0])})
    assert len(register(ledger)) == len(DEVICES)
    assert ledger.used == [(OTHER.address, 0), (OWNER.address, 2)]
    assert "claim/x" in ledger.waiting
