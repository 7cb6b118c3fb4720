"""What goes wrong on a device.

DepinError
└── SdkError
    ├── GatewayRefused   (gateway's code)  the gateway refused the message for good
    ├── GatewayAway      gateway-away      no answer, or it asks to wait; the message stays queued
    ├── ReceiptWrong     receipt-wrong     the receipt does not hold: keep it, tell the owner
    └── StoreBroken      store-broken      the device's own file is not what was written
"""

from __future__ import annotations

from opendepin.core.errors import DepinError


class SdkError(DepinError):
    """Root of what the device SDK raises."""

    code = "sdk"


class GatewayRefused(SdkError):
    """The gateway refused a message and will refuse it again; `code` is the gateway's."""

    code = "gateway-refused"


class GatewayAway(SdkError):
    """The gateway did not answer or asks to wait."""

    code = "gateway-away"

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds the gateway asks to wait; 0 when it did not say."""


class ReceiptWrong(SdkError):
    """A receipt that does not hold for the message that was sent."""

    code = "receipt-wrong"


class StoreBroken(SdkError):
    """A file of the device is not what it wrote."""

    code = "store-broken"
