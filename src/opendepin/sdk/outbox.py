"""Store and forward: a reading is durable on the device before it is sent, and leaves when it has
a receipt.

A reading is signed when it is about to be sent, so that a device that was offline for days sends
fresh signatures over old observations; the signed bytes are durable before they leave, and a second
try sends the same bytes, which the gateway answers with the first receipt.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from opendepin.core import message
from opendepin.core.encodings import cbor_decode, cbor_encode
from opendepin.core.errors import EncodingRejected, MessageRejected
from opendepin.core.group import Receipt
from opendepin.core.schema import Data
from opendepin.sdk.device import Device
from opendepin.sdk.errors import GatewayAway, GatewayRefused, OutboxFull, ReceiptWrong, StoreBroken
from opendepin.sdk.ports import Store
from opendepin.sdk.sender import Sender

MAX_QUEUED = 100_000
"""Most messages kept for later; the device then has to drop readings itself, knowingly."""

QUEUED, REFUSED = "queue-", "refused-"
READING, SIGNED = b"r", b"m"
"""First byte of a queued value: a reading that waits for its signature, or a message."""

TOO_OLD = "too-old"
"""The gateway's code for a signature of more than its age limit; it admitted no such message."""


@dataclass(frozen=True)
class Sent:
    """A message that a gateway gave a receipt for."""

    message_id: bytes
    raw: bytes
    receipt: Receipt


class Outbox:
    """The readings of one device that no gateway acknowledged yet, oldest first."""

    def __init__(self, device: Device, store: Store) -> None:
        self._device, self._store = device, store
        self._waiting = [name for name in store.names() if name.startswith(QUEUED)]
        self._next = int(self._waiting[-1].removeprefix(QUEUED)) + 1 if self._waiting else 1
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: Data) -> None:
        """Keep a reading; durable on return.

        Raises:
            OutboxFull: nothing was kept.
        """
        if len(self._waiting) >= MAX_QUEUED:
            raise OutboxFull(f"{MAX_QUEUED} messages wait already")
        name = f"{QUEUED}{self._next:016d}"
        self._store.write(name, READING + cbor_encode(data))
        self._next += 1
        self._waiting.append(name)

    async def flush(self, sender: Sender) -> list[Sent]:
        """Send what waits, oldest first, and return what was acknowledged.

        A message refused for good is set aside under `refused-…`, so that it blocks nothing.

        Raises:
            GatewayAway: nothing was acknowledged; try again later.
            ReceiptWrong: nothing was acknowledged; the message stays queued.
            StoreBroken: a queued file is not what was written.
        """
        done: list[Sent] = []
        async with self._turn:
            while self._waiting:
                try:
                    sent = await self._send(self._waiting[0], sender)
                except (GatewayAway, ReceiptWrong):
                    if done:
                        return done
                    raise
                if sent is not None:
                    done.append(sent)
                self._store.remove(self._waiting.pop(0))
        return done

    async def _send(self, name: str, sender: Sender) -> Sent | None:
        """Send one; None when it is gone or was refused for good."""
        raw = self._signed(name)
        if raw is None:
            return None
        try:
            return await self._try(raw, sender)
        except GatewayRefused as error:
            if error.code != TOO_OLD:
                self._set_aside(raw, error)
                return None
        raw = self._sign(name, message.parse(raw).data)
        try:
            return await self._try(raw, sender)
        except GatewayRefused as error:
            self._set_aside(raw, error)
            return None

    async def _try(self, raw: bytes, sender: Sender) -> Sent:
        identifier = self._device.message_id(raw)
        receipt = await sender.send(self._device.project, identifier, raw)
        return Sent(identifier, raw, receipt)

    def _signed(self, name: str) -> bytes | None:
        kept = self._store.read(name)
        if kept is None:
            return None
        try:
            if kept[:1] == SIGNED:
                return message.parse(kept[1:]).raw
            if kept[:1] == READING and isinstance(data := cbor_decode(kept[1:]), dict):
                return self._sign(name, cast(Data, data))
        except (EncodingRejected, MessageRejected) as error:
            raise StoreBroken(f"{name} is not what was written: {error}") from error
        raise StoreBroken(f"{name} is not what was written: remove it to go on without it")

    def _sign(self, name: str, data: Data) -> bytes:
        raw = self._device.sign(data)
        self._store.write(name, SIGNED + raw)
        return raw

    def _set_aside(self, raw: bytes, error: GatewayRefused) -> None:
        note = f"{error.code}: {error}".replace("\n", " ").encode()
        name = f"{REFUSED}{message.parse(raw).seq:016d}"
        self._store.write(name, note + b"\n" + raw)

    def refused(self) -> dict[str, str]:
        """Return the messages that were refused for good: name → code and reason."""
        names = [name for name in self._store.names() if name.startswith(REFUSED)]
        kept = {name: self._store.read(name) or b"" for name in names}
        return {
            name: raw.partition(b"\n")[0].decode(errors="replace") for name, raw in kept.items()
        }
