"""Events and structs of the network's contracts that more than one room reads, by the ABI's order
(`docs/spec/contracts.md`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskOpened:
    """Event of `Settlement`."""

    task: bytes
    project: int
    batch: int
    segment_index: int
    program: bytes
    count: int


@dataclass(frozen=True)
class TaskSettled:
    """Event of `Settlement`."""

    task: bytes
    project: int
    producer: bytes
    outputs_hash: bytes
    pay_root: bytes
    operator_paid: int
    devices_held: int
    burned: int
    refunded: int


@dataclass(frozen=True)
class TaskRecalled:
    """Event of `Settlement`."""

    task: bytes
    project: int


@dataclass(frozen=True)
class DeviceRecord:
    """The struct of `Devices`."""

    status: int
    project: int
    index: int
    key: tuple[bytes, ...]
    since: int
