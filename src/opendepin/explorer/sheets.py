"""What a reader must know of the network and of a project to show its bytes as words.

`NetworkSheet` is the trust anchor's public part, `ProjectSheet` a project's manifest, its
devices' places (shown only
with the owners' consent) and what each output of its program means. Both come from the
composition root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opendepin.core.manifest import Manifest


@dataclass(frozen=True)
class NetworkSheet:
    """Trust anchor of one network (`genesis.json`) and what is weak or simulated in it."""

    network_id: bytes
    chain_id: int
    genesis_hash: bytes
    contracts: Mapping[str, bytes]
    """Address by contract name."""
    code_hashes: Mapping[str, bytes]
    """Keccak of the code that stands there, by contract name."""
    sequencer: bytes
    attesters: tuple[bytes, ...]
    threshold: int
    gateways: tuple[bytes, ...]
    data_chunks: int
    """k of the availability code."""
    labels: tuple[str, ...] = ()
    """In words, shown on every page: development key, embedded L1, ..."""
    name: str = "local network"
    layout: Mapping[str, int] = field(default_factory=dict[str, int])
    """Storage slot of each proven map, `Contract.name`, by the contracts' own layout."""
    notice: str = ""
    """One sentence on replayed or simulated input, shown on the first page."""


@dataclass(frozen=True)
class Place:
    """Where a device stands and what it is called; only with its owner's consent."""

    name: str
    longitude: float
    latitude: float
    region: str = ""
    region_name: str = ""


@dataclass(frozen=True)
class Output:
    """What one output of a program means."""

    figure: str
    """`count`, `exceedances`, `sum`, `minimum`, `maximum` or `units`."""
    group: str = ""
    """Region code for a grouped figure."""
    device_index: int | None = None
    unit: str = ""
    scale: int = 0
    """Decimal places: the figure is the output / 10**scale."""


@dataclass(frozen=True)
class ProjectSheet:
    """A project as readers show it."""

    project: int
    title: str
    manifest: Manifest
    value_field: int
    """Key of the field that is shown as a reading's value; of an array the last."""
    value_name: str
    """What the value is, e.g. `PM10, daily mean`."""
    value_unit: str
    value_scale: int
    limit: int | None = None
    """The value, in scaled integers, above which a reading exceeds; None when the project has
    none.
    """
    places: Mapping[int, Place] = field(default_factory=dict[int, Place])
    """By device index."""
    outputs: tuple[Output, ...] = ()
    circuit: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Facts about the circuit to show: constraints, capacity, engine."""
    hashes: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """`circuit` and `verification_key` hashes, 32 bytes each."""
    verification_key: Mapping[str, Any] | None = None
    """JSON form of `docs/spec/bundle.md`."""
    unit_rate: int = 0
    """Wei a device is paid per counted unit."""
    attribution: str = ""
    """Where recorded readings come from."""
    text: str = ""
    """What the project says of itself, plain paragraphs."""
