"""What goes wrong on a device.

DepinError
├── Rejected
│   ├── GatewayRefused   gateway-refused, or the gateway's own code: refused for good
│   ├── OutboxFull       outbox-full           as many messages wait as the device may keep
│   └── StoreInUse       device-store-in-use   another process works with the device's folder
├── PeerFault
│   ├── GatewayAway      gateway-away   no answer, or it asks to wait; the message stays queued
│   └── ReceiptWrong     receipt-wrong  the receipt does not hold: keep it, tell the owner
└── Broken
    └── StoreBroken      device-store-broken   the device's own file is not what was written
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, Rejected


class GatewayRefused(Rejected):
    """The gateway refused a message and will refuse it again; `code` is the gateway's."""

    code = "gateway-refused"


class OutboxFull(Rejected):
    """As many messages wait as the device may keep: nothing was taken."""

    code = "outbox-full"


class StoreInUse(Rejected):
    """Another process works with the device's folder: two would use one sequence number twice."""

    code = "device-store-in-use"


class GatewayAway(PeerFault):
    """The gateway did not answer or asks to wait."""

    code = "gateway-away"

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds the gateway asks to wait; 0 when it did not say."""


class ReceiptWrong(PeerFault):
    """A receipt that does not hold for the message that was sent."""

    code = "receipt-wrong"


class StoreBroken(Broken):
    """A file of the device is not what it wrote, or its sequence numbers are used up."""

    code = "device-store-broken"
