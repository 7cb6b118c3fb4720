"""What a verifier brings itself: the genesis parameters of the network and one L1 block hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.core.encodings import from_hex
from opendepin.core.errors import EncodingRejected
from opendepin.core.statement import network_id
from opendepin.verify.errors import BundleRejected


@dataclass(frozen=True)
class Anchor:
    """The only things believed; everything in a bundle is measured against them."""

    network_id: bytes
    chain_id: int
    contracts: Mapping[str, bytes]
    """Name → address of the contracts deployed at genesis."""
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


def anchor_of_genesis(
    genesis: Mapping[str, Any], layouts: Mapping[str, Mapping[str, Any]], block_hash: bytes | None
) -> Anchor:
    """Build the anchor from the content of `genesis.json`.

    Raises:
        BundleRejected: the genesis file is malformed, or its network id is not that of its chain id
            and device registry.
    """
    try:
        contracts = {
            str(name): from_hex(entry["address"], 20)
            for name, entry in genesis["contracts"].items()
        }
        anchor = Anchor(
            network_id=from_hex(genesis["network_id"], 32),
            chain_id=int(genesis["chain_id"]),
            contracts=contracts,
            layouts=layouts,
            sequencer=from_hex(genesis["sequencer"], 20),
            attesters=frozenset(from_hex(each, 20) for each in genesis["attesters"]),
            threshold=int(genesis["threshold"]),
            gateways=frozenset(from_hex(each, 20) for each in genesis["gateways"]),
            data_chunks=int(genesis["data_chunks"]),
            block_hash=block_hash,
        )
    except (KeyError, TypeError, AttributeError, ValueError, EncodingRejected) as error:
        raise BundleRejected(f"not the genesis file of a network: {error!r}") from error
    if network_id(anchor.chain_id, contracts.get("Devices", bytes(20))) != anchor.network_id:
        raise BundleRejected("the genesis file's network id is not that of its chain and registry")
    return anchor
