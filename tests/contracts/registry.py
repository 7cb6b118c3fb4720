"""Drives the device registry with permits, as the tools of owners do."""

from __future__ import annotations

from typing import Any

import boa

from opendepin.core.identity import Status
from opendepin.core.keys import Key
from opendepin.dims.identity import permits
from tests.contracts import world

HOUR = 3_600
DESCRIPTION = b"\x11" * 32


class Registry:
    """One `Devices` contract and the permits that it takes."""

    def __init__(self, contract: Any) -> None:
        self.contract = contract
        self.domain = permits.Domain(boa.env.evm.patch.chain_id, contract.address.canonical_address)

    def registration(
        self, owner: Key, device: Key, project: int = 1, by_sender: bool = False
    ) -> permits.RegisterCall:
        """Sign a registration that would be taken now."""
        nonce = self.contract.nonces(world.address_text(owner.address))
        permit = permits.Register(
            project, owner.address, device.public, DESCRIPTION, nonce, boa.env.timestamp + HOUR
        )
        return permits.register_permit(self.domain, permit, None if by_sender else owner, device)

    def register(self, owner: Key, device: Key, project: int = 1, value: int = world.FEE) -> bytes:
        """Register a device by somebody else's transaction; return its id."""
        self.send("register", self.registration(owner, device, project), value=value)
        return device.address

    def rotation(self, owner: Key | None, device: bytes, key: Key) -> permits.RotateCall:
        """Sign a rotation that would be taken now."""
        permit = permits.Rotate(device, key.public, self.nonce(device), boa.env.timestamp + HOUR)
        return permits.rotate_permit(self.domain, permit, owner, key)

    def rotate(self, owner: Key, device: bytes, key: Key) -> None:
        """Rotate a device's key by somebody else's transaction."""
        self.send("rotate", self.rotation(owner, device, key))

    def change(self, owner: Key | None, device: bytes, status: Status) -> permits.StatusCall:
        """Sign a change of status that would be taken now."""
        deadline = boa.env.timestamp + HOUR
        permit = permits.SetStatus(device, status, self.nonce(device), deadline)
        return permits.status_permit(self.domain, permit, owner)

    def set_status(self, owner: Key, device: bytes, status: Status) -> None:
        """Change a device's status by somebody else's transaction."""
        self.send("set_status", self.change(owner, device, status))

    def nonce(self, device: bytes) -> int:
        """The nonce that the next permit over a device needs."""
        return self.contract.device_nonces(permits.token(device))

    def send(self, name: str, call: tuple[Any, ...], **options: Any) -> Any:
        """Send a call; the EVM's interface takes addresses as text."""
        values = [
            world.address_text(value) if isinstance(value, bytes) and len(value) == 20 else value
            for value in call
        ]
        return getattr(self.contract, name)(*values, **options)
