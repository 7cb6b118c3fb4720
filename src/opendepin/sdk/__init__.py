"""What a device installs: sign readings, keep them until a gateway gave a receipt, send them.

Imports `core` only. Clock, disk and network come through `ports.py`; `adapters/` has those of an
ordinary computer.
"""

from opendepin.sdk.device import Device
from opendepin.sdk.errors import (
    GatewayAway,
    GatewayRefused,
    OutboxFull,
    ReceiptWrong,
    StoreBroken,
    StoreInUse,
)
from opendepin.sdk.outbox import Outbox, Sent
from opendepin.sdk.ports import Answer, Clock, Net, Store
from opendepin.sdk.sender import Sender

__all__ = [
    "Answer",
    "Clock",
    "Device",
    "GatewayAway",
    "GatewayRefused",
    "Net",
    "Outbox",
    "OutboxFull",
    "ReceiptWrong",
    "Sender",
    "Sent",
    "Store",
    "StoreBroken",
    "StoreInUse",
]
