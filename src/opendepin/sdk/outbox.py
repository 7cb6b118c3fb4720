"""Store and forward: a reading is durable on the device before it is sent, and leaves when it has
a receipt.
"""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.core import message
from opendepin.core.group import Receipt
from opendepin.sdk.device import Device
from opendepin.sdk.errors import GatewayRefused
from opendepin.sdk.ports import Store
from opendepin.sdk.sender import Sender

MAX_QUEUED = 100_000
"""Most messages kept for later; the device then has to drop readings itself, knowingly."""

QUEUED, REFUSED = "queue-", "refused-"


@dataclass(frozen=True)
class Sent:
    """A message that a gateway gave a receipt for."""

    message_id: bytes
    raw: bytes
    receipt: Receipt


class Outbox:
    """The messages of one device that no gateway acknowledged yet, oldest first."""

    def __init__(self, device: Device, store: Store) -> None:
        self._device, self._store = device, store
        self._waiting = [name for name in store.names() if name.startswith(QUEUED)]

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: dict[int, int]) -> bytes:
        """Sign a reading and keep the message; durable on return. Gives the message's id.

        Raises:
            GatewayRefused: code `outbox-full`, nothing was signed.
        """
        if len(self._waiting) >= MAX_QUEUED:
            text = f"{MAX_QUEUED} messages wait already"
            raise GatewayRefused(text, code="outbox-full")
        raw = self._device.sign(data)
        name = f"{QUEUED}{message.parse(raw).seq:016d}"
        self._store.write(name, raw)
        self._waiting.append(name)
        return self._device.message_id(raw)

    async def flush(self, sender: Sender) -> list[Sent]:
        """Send what waits, oldest first, until it is empty.

        A message refused for good is set aside under `refused-…`, so that it blocks nothing.

        Raises:
            GatewayAway: the rest stays queued; try again later.
            ReceiptWrong: the message stays queued.
        """
        done: list[Sent] = []
        while self._waiting:
            name = self._waiting[0]
            raw = self._store.read(name)
            if raw is not None:
                identifier = self._device.message_id(raw)
                try:
                    receipt = await sender.send(self._device.project, identifier, raw)
                    done.append(Sent(identifier, raw, receipt))
                except GatewayRefused as error:
                    note = f"{error.code}: {error}\n".encode()
                    self._store.write(REFUSED + name.removeprefix(QUEUED), note + raw)
            self._store.remove(name)
            self._waiting.pop(0)
        return done

    def refused(self) -> dict[str, str]:
        """Return the messages that were refused for good: name → code and reason."""
        names = [name for name in self._store.names() if name.startswith(REFUSED)]
        kept = {name: self._store.read(name) or b"" for name in names}
        return {
            name: raw.partition(b"\n")[0].decode(errors="replace") for name, raw in kept.items()
        }
