"""A device that signs and keeps until it is killed: `python -m tests.sdk.endless_device FOLDER`.

It says each sequence number after it was signed, and each reading after it was kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

from opendepin.core import message
from opendepin.sdk import Device, Outbox
from opendepin.sdk.adapters.system import FileStore, SystemClock
from tests.sdk.memory import DEVICE, NETWORK, PROJECT


def main(folder: Path) -> None:
    store = FileStore(folder)
    device = Device(DEVICE, NETWORK, PROJECT, store, SystemClock())
    outbox = Outbox(device, store)
    number = len(outbox)
    print("READY", flush=True)
    while True:
        number += 1
        outbox.put({1: number, 2: number})
        print(f"kept {number}", flush=True)
        print(f"seq {message.parse(device.sign({1: 0, 2: 0})).seq}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
