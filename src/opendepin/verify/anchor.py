"""What a verifier brings itself: the genesis parameters of the network and one L1 block hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.core.chunks import MAX_DATA_CHUNKS
from opendepin.core.encodings import from_hex
from opendepin.core.errors import EncodingRejected
from opendepin.core.statement import network_id
from opendepin.verify.errors import GenesisRejected

PROVEN_CONTRACTS = ("Devices", "BatchInbox", "Settlement", "Operators")
"""The contracts whose storage a trail is held against."""


@dataclass(frozen=True)
class Anchor:
    """The only things believed; everything in a bundle is measured against them."""

    network_id: bytes
    chain_id: int
    genesis_hash: bytes
    """Hash of L1 block 0."""
    contracts: Mapping[str, bytes]
    """Name → address of the contracts deployed at genesis."""
    code_hashes: Mapping[str, bytes]
    """Name → Keccak of the code that stands there."""
    layouts: Mapping[str, Mapping[str, Any]]
    """Name → storage layout of those contracts, as compiled here from the shipped sources."""
    sequencer: bytes
    attesters: frozenset[bytes]
    threshold: int
    gateways: frozenset[bytes]
    data_chunks: int
    """k of the availability code."""
    block_hash: bytes | None
    """The one trusted L1 block; None: nothing is held against L1, those steps are `absent`."""
    label: str = ""
    """What the L1 is, in words."""


def anchor_of_genesis(
    genesis: Mapping[str, Any], layouts: Mapping[str, Mapping[str, Any]], block_hash: bytes | None
) -> Anchor:
    """Build the anchor from the content of `genesis.json`.

    Raises:
        GenesisRejected: the genesis file is malformed, lacks a contract or sane numbers, or its
            network id is not that of its chain id and device registry.
    """
    try:
        contracts = {
            str(name): from_hex(entry["address"], 20)
            for name, entry in genesis["contracts"].items()
        }
        anchor = Anchor(
            network_id=from_hex(genesis["network_id"], 32),
            chain_id=int(genesis["chain_id"]),
            genesis_hash=from_hex(genesis["genesis_hash"], 32),
            contracts=contracts,
            code_hashes={
                str(name): from_hex(entry["code_hash"], 32)
                for name, entry in genesis["contracts"].items()
            },
            layouts=layouts,
            sequencer=from_hex(genesis["sequencer"], 20),
            attesters=frozenset(from_hex(each, 20) for each in genesis["attesters"]),
            threshold=int(genesis["threshold"]),
            gateways=frozenset(from_hex(each, 20) for each in genesis["gateways"]),
            data_chunks=int(genesis["data_chunks"]),
            block_hash=block_hash,
            label=str(genesis.get("label", "")),
        )
    except (KeyError, TypeError, AttributeError, ValueError, EncodingRejected) as error:
        raise GenesisRejected(f"not the genesis file of a network: {error!r}") from error
    _check(anchor)
    return anchor


def _check(anchor: Anchor) -> None:
    missing = [
        name
        for name in PROVEN_CONTRACTS
        if name not in anchor.contracts or name not in anchor.layouts
    ]
    if missing:
        raise GenesisRejected(f"the genesis file or the layouts lack {', '.join(missing)}")
    if not 1 <= anchor.threshold <= len(anchor.attesters):
        raise GenesisRejected("the genesis file's threshold is none, or above the attesters")
    if not 1 <= anchor.data_chunks <= MAX_DATA_CHUNKS:
        raise GenesisRejected(f"the genesis file's data_chunks is outside 1..{MAX_DATA_CHUNKS}")
    if not 0 <= anchor.chain_id < 1 << 64:
        raise GenesisRejected("the genesis file's chain id is no 64-bit number")
    if network_id(anchor.chain_id, anchor.contracts["Devices"]) != anchor.network_id:
        raise GenesisRejected("the genesis file's network id is not that of its chain and registry")
